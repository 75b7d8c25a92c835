/**
 * Variants of an image encoder, each for the backends that want it: 8-bit integers for WebAssembly and native, 16-bit floats
 * for WebGPU. What a variant cost is measured here, where the float encoder is at hand, and goes into the manifest.
 */

import { type Backend, openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { goldenInput, type ManifestParity, relativeDistance } from "@clip-e/shared";
import type { EncoderFile } from "./encoder_file.ts";
import { TrainerError } from "./errors.ts";
import { measureFidelity } from "./fidelity.ts";
import type { PictureInputs } from "./fidelity_encoder.ts";
import { quantizeToTarget } from "./fidelity_target.ts";
import {
  type ModelFiles,
  modelFiles,
  type OnnxModel,
  quantizeModel,
  readModel,
} from "./quantize/mod.ts";

/** What a variant's weights are. */
export const PRECISIONS = ["int8", "float16", "float32"] as const;

/** One of {@linkcode PRECISIONS}. */
export type Precision = (typeof PRECISIONS)[number];

/** Who wants which: quantised graphs are not trusted on WebGPU, and 16-bit floats are slow elsewhere. */
const BACKENDS: Readonly<Record<Precision, readonly string[]>> = {
  int8: ["wasm", "native"],
  float16: ["webgpu"],
  float32: ["wasm", "native", "webgpu"],
};

/** A variant, ready for a bundle. */
export interface EncoderVariant extends ModelFiles {
  /** Of its weights. */
  readonly precision: Precision;
  /** Those that it is for. */
  readonly backends: readonly string[];
  /** How near it is to the float encoder; absent for that one. */
  readonly parity?: ManifestParity;
}

/** Options of {@linkcode makeEncoderVariant}. */
export interface EncoderVariantOptions {
  /** The least cosine of an 8-bit embedding to the float one: layers that hurt more stay in floats. */
  readonly targetCosine: number;
  /** To measure on, fastest first; WebAssembly by default. */
  readonly backends?: readonly Backend[];
  /** Told of each step, in words. */
  readonly onStep?: (words: string) => void;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a variant of an encoder.
 *
 * @param float the encoder, in 32-bit floats
 * @param precision of the variant
 * @param pictures to measure by
 * @param options what to reach
 * @throws {TrainerError} when the target cannot be met
 */
export async function makeEncoderVariant(
  float: EncoderFile,
  precision: Precision,
  pictures: PictureInputs,
  options: EncoderVariantOptions,
): Promise<EncoderVariant> {
  const { bytes, externalData } = float;
  const backends = BACKENDS[precision];
  if (precision === "float32") return { bytes, externalData, precision, backends };
  const model = openModel(float);
  const made = precision === "int8"
    ? await quantizeToInt8(model, pictures, options)
    : (await quantizeModel(model, { mode: "fp16" })).model;
  const files = await modelFiles(made);
  const parity = await measureParity(float, files, pictures, options);
  return { ...files, precision, backends, parity };
}

/** Filters of convolutions are only stored as bytes: computing with them is slower in WebAssembly. */
async function quantizeToInt8(
  model: OnnxModel,
  pictures: PictureInputs,
  { targetCosine: target, backends = [wasmBackend], ...told }: EncoderVariantOptions,
): Promise<OnnxModel> {
  const how = { mode: "int8-dynamic", conv: "weights" } as const;
  return (await quantizeToTarget(model, how, pictures, { target, backends, ...told })).model;
}

/**
 * A model whose weights beside it are in memory.
 *
 * @param files of the model
 * @throws {TrainerError} when they are not ONNX
 */
export function openModel({ bytes, externalData }: ModelFiles): OnnxModel {
  return {
    proto: readModel(bytes),
    external: {
      read(location, offset, length) {
        const data = externalData.find(({ path }) => path === location);
        if (data) return Promise.resolve(data.bytes.subarray(offset, offset + length));
        throw new TrainerError(`Cannot read the weights ${location}: they are not there`);
      },
    },
  };
}

/**
 * Each backend rounds in its own way, and lies as far from another one as from the float encoder: what is allowed is a
 * few times what was measured.
 */
const TOLERANCE_FACTOR = 3;
const LEAST_TOLERANCE = 1e-3;

async function measureParity(
  float: EncoderFile,
  files: ModelFiles,
  pictures: PictureInputs,
  { backends = [wasmBackend], signal }: EncoderVariantOptions,
): Promise<ManifestParity> {
  const fidelity = await measureFidelity(float, files, pictures, {
    backends,
    ...(signal && { signal }),
  });
  const distances: number[] = [];
  for (const backend of backends) {
    const encoder = await openEncoder(files.bytes, pictures.crop, {
      backend,
      externalData: files.externalData,
    });
    const embedding = await encoder.encode(goldenInput(float.preprocessing));
    distances.push(relativeDistance(embedding, float.goldenEmbedding));
    await encoder.close();
  }
  const cosines = fidelity.backends.map(({ cosine }) => cosine);
  return {
    float: float.sha256,
    tolerance: Math.max(TOLERANCE_FACTOR * Math.max(...distances), LEAST_TOLERANCE),
    cosineMin: Math.min(...cosines.map(({ min }) => min)),
    cosineMedian: Math.min(...cosines.map(({ median }) => median)),
    pictures: fidelity.pictures,
  };
}
