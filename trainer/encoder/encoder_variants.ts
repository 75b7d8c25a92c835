/**
 * Variants of an image encoder, each for the backends that want it: 8-bit integers for WebAssembly and native, 16-bit floats
 * for WebGPU. What a variant cost is measured here, where the float encoder is at hand, and goes into the manifest.
 */

import { wasmBackend } from "@clip-e/edge/encoder";
import type { ManifestParity } from "@clip-e/shared";
import type { EncoderFile } from "./encoder_file.ts";
import { leastCosine, type MeasuredEncoder, measureParity } from "./encoder_parity.ts";
import { TrainerError } from "../errors.ts";
import {
  type Fidelity,
  type FidelityOptions,
  measureFidelity,
} from "../fidelity/measure_fidelity.ts";
import type { PictureInputs } from "../fidelity/open_for_pictures.ts";
import { quantizeToTarget, type TargetSearch } from "../fidelity/quantize_to_target.ts";
import {
  type ModelFiles,
  modelFiles,
  type OnnxModel,
  quantizeModel,
  readModel,
} from "../quantize/mod.ts";
import { spread } from "../spread.ts";

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
  /** The same on each backend. */
  readonly fidelity?: Fidelity;
  /** What stayed in floats for the target's sake, of one in integers. */
  readonly search?: TargetSearch;
}

/** Options of {@linkcode makeEncoderVariant}. */
export interface EncoderVariantOptions extends Partial<FidelityOptions> {
  /** The least cosine of an 8-bit embedding to the float one: layers that hurt more stay in floats. */
  readonly targetCosine: number;
  /** Told of each step, in words. */
  readonly onStep?: (words: string) => void;
}

/**
 * Makes a variant of an encoder.
 *
 * @param float the encoder, in 32-bit floats
 * @param precision of the variant
 * @param pictures to measure by
 * @param options what to reach, and where to measure: WebAssembly by default
 * @throws {TrainerError} when the target cannot be met
 */
export async function makeEncoderVariant(
  float: EncoderFile,
  precision: Precision,
  pictures: PictureInputs,
  options: EncoderVariantOptions,
): Promise<EncoderVariant> {
  const { bytes, externalData } = float;
  const about = { precision, backends: BACKENDS[precision] };
  if (precision === "float32") return { bytes, externalData, ...about };
  const measured = { backends: [wasmBackend], ...options };
  const made = precision === "int8"
    ? await makeInt8(float, pictures, measured)
    : await makeFloat16(float, pictures, measured);
  const parity = await measureParity(float, made, measured.backends);
  const { files, ...reports } = made;
  return { ...files, ...about, ...reports, parity };
}

type Measuring = EncoderVariantOptions & FidelityOptions;

async function makeFloat16(
  float: EncoderFile,
  pictures: PictureInputs,
  options: FidelityOptions,
): Promise<MeasuredEncoder> {
  const { model } = await quantizeModel(openModel(float), { mode: "fp16" });
  const files = await modelFiles(model);
  return { files, fidelity: await measureFidelity(float, files, pictures, options) };
}

/** A search runs each node on its pictures: few find what hurts. */
const SEARCH_PICTURES = 12;

/** Searches with a few pictures, and once more with all where one of the others turns out to be too far. */
async function makeInt8(
  float: EncoderFile,
  pictures: PictureInputs,
  options: Measuring,
): Promise<MeasuredEncoder> {
  const { targetCosine: target, onStep } = options;
  const few = { ...pictures, inputs: spread(pictures.inputs, SEARCH_PICTURES) };
  const made = await searchInt8(float, few, pictures, options);
  const cosine = leastCosine(made.fidelity);
  if (cosine >= target || few.inputs.length === pictures.inputs.length) return made;
  onStep?.(`On all pictures the cosine falls to ${cosine.toFixed(5)}: searching with all of them`);
  return await searchInt8(float, pictures, pictures, options);
}

/** Filters of convolutions are only stored as bytes: computing with them is slower in WebAssembly. */
async function searchInt8(
  float: EncoderFile,
  searched: PictureInputs,
  pictures: PictureInputs,
  options: Measuring,
): Promise<MeasuredEncoder> {
  const how = { mode: "int8-dynamic", conv: "weights" } as const;
  const aim = { ...options, target: options.targetCosine };
  const { model, search } = await quantizeToTarget(openModel(float), how, searched, aim);
  const files = await modelFiles(model);
  return { files, search, fidelity: await measureFidelity(float, files, pictures, options) };
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
