/**
 * The encoder whose embeddings heads are trained on: an ONNX file, or that of a bundle, whose prompts then stand for labels.
 */

import { type Bundle, openBundle } from "@clip-e/shared";
import { basename } from "node:path";
import type { BundleDraft } from "../bundle/bundle_draft.ts";
import { folderSource, readBundleFolder } from "../bundle/bundle_folder.ts";
import { digestOf, type EncoderFile } from "../encoder/encoder_file.ts";
import { TrainerError } from "../errors.ts";
import type { EncoderSpec } from "../embedding/encoder_spec.ts";
import { onnxPrecision } from "../encoder/onnx_precision.ts";
import type { TaskPrompts } from "./tasks.ts";

/** An encoder to embed pictures with. */
export interface TrainingEncoder extends EncoderSpec {
  /** For reports. */
  readonly name: string;
  /** Of the ONNX file alone, as a manifest has it. */
  readonly fileSha256: string;
  /** Of its weights: `float32`, `float16`, `int8`. */
  readonly precision: string;
  /** D. */
  readonly size: number;
}

/** A bundle to train heads for. */
export interface TrainingBundle {
  /** Its first encoder that runs here. */
  readonly encoder: TrainingEncoder;
  /** To be added to. */
  readonly draft: BundleDraft;
  /** By taxonomy, of the encoder's own text space. */
  readonly zeroShot: ReadonlyMap<string, TaskPrompts>;
}

/**
 * Opens the encoder of a file, as a user names it.
 *
 * @param path of the ONNX file
 * @param file opened
 */
export function encoderOfFile(path: string, file: EncoderFile): TrainingEncoder {
  const { bytes, externalData, sha256, preprocessing, goldenEmbedding } = file;
  return {
    name: basename(path),
    bytes,
    externalData,
    sha256,
    fileSha256: sha256,
    precision: onnxPrecision(bytes),
    preprocessing,
    size: goldenEmbedding.length,
  };
}

/** Those that embed pictures here: 16-bit floats are for WebGPU. */
const BACKENDS = ["native", "wasm"];

/**
 * Opens a bundle to train heads for.
 *
 * @param folder that holds it
 * @throws {TrainerError} when there is none, or none of its encoders runs here
 * @throws {ClipEError} when it is damaged
 */
export async function openTrainingBundle(folder: string): Promise<TrainingBundle> {
  const draft = await readBundleFolder(folder);
  if (!draft) {
    throw new TrainerError(`There is no bundle in ${folder}. Make one with deno task build`);
  }
  const bundle = await openBundle(folderSource(folder));
  return { encoder: await encoderOfBundle(bundle), draft, zeroShot: zeroShotOf(bundle) };
}

/**
 * The encoder that a bundle's pictures are embedded with: its first that runs here.
 *
 * @param bundle opened
 * @throws {TrainerError} when none of its encoders runs here
 * @throws {ClipEError} when that is damaged
 */
export async function encoderOfBundle(bundle: Bundle): Promise<TrainingEncoder> {
  const { name, encoders, embeddingSpace } = bundle.manifest;
  const entry = encoders.find(({ backends }) => backends.some((one) => BACKENDS.includes(one)));
  if (!entry) {
    throw new TrainerError(`None of the encoders of ${name} runs natively or in WebAssembly`);
  }
  const folder = entry.file.path.slice(0, entry.file.path.lastIndexOf("/") + 1);
  const externalData = await Promise.all((entry.externalData ?? []).map(async (file) => ({
    path: file.path.slice(folder.length),
    bytes: await bundle.readFile(file),
  })));
  const bytes = await bundle.readEncoder(entry);
  const { input: { resize, crop }, mean, std, interpolation, resizeMode } = entry;
  return {
    name: `${name} (${entry.precision})`,
    bytes,
    externalData,
    sha256: await digestOf(bytes, externalData),
    fileSha256: entry.file.sha256,
    precision: entry.precision,
    preprocessing: {
      ...{ resize, crop, mean, std, interpolation },
      ...(resizeMode === "squash" && { resizeMode }),
    },
    size: embeddingSpace.size,
    backends: entry.backends,
  };
}

/**
 * A bundle's prompts, with how it scores cosines to them.
 *
 * @param bundle opened
 */
export function zeroShotOf({ manifest, prompts }: Bundle): ReadonlyMap<string, TaskPrompts> {
  return new Map(manifest.taxonomies.flatMap(({ id, methods }) => {
    const vectors = prompts.get(id);
    const method = methods.find(({ method }) => method === "zero-shot");
    if (!vectors || !method) return [];
    const { temperature, normalization, bias } = method;
    return [[id, { prompts: vectors, scoring: { temperature, normalization, bias } }]];
  }));
}
