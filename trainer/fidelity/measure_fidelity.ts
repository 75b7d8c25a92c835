/**
 * What quantising did to an image encoder: both encoders on the same pictures, on each backend that is there. It reads no
 * file; the pictures come preprocessed.
 */

import type { Backend, Encoder } from "@clip-e/edge/encoder";
import type { Prompts } from "@clip-e/shared";
import { breather } from "../breather.ts";
import { TrainerError } from "../errors.ts";
import { openForPictures, type PictureInputs } from "./open_for_pictures.ts";
import { centredCosines, cosine, countAgreeing, median } from "./cosines.ts";
import type { ModelFiles } from "../quantize/mod.ts";

/** Options of {@linkcode measureFidelity}. */
export interface FidelityOptions {
  /** To measure on. */
  readonly backends: readonly Backend[];
  /** By taxonomy, in the encoders' embedding space: whether both find the same label best. */
  readonly prompts?: ReadonlyMap<string, Prompts>;
  /** Told after each picture on each backend. */
  readonly onPicture?: () => void;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** How near the quantised encoder is to the float one, and what it gained. */
export interface Fidelity {
  /** How many were compared. */
  readonly pictures: number;
  /** Length of the models, in bytes, with their weights. */
  readonly bytes: { readonly float: number; readonly quantised: number; readonly ratio: number };
  /** On each backend, as kernels differ. */
  readonly backends: readonly BackendFidelity[];
}

/** The same on one backend. */
export interface BackendFidelity {
  /** `wasm` or `native`. */
  readonly backend: string;
  /** Of each picture's two embeddings. */
  readonly cosine: { readonly min: number; readonly median: number; readonly mean: number };
  /** After the float embeddings' mean is taken off both; not there for a single picture. */
  readonly centredCosine?: { readonly min: number; readonly median: number };
  /** Pictures whose best label is the same, of each taxonomy. */
  readonly agreement: readonly { readonly taxonomy: string; readonly pictures: number }[];
  /** Medians of runs that took turns, in milliseconds. */
  readonly latency: { readonly float: number; readonly quantised: number; readonly ratio: number };
}

/** Runs to take a median of, at least. */
const MIN_TIMED_RUNS = 9;

/**
 * Compares a quantised image encoder with the float one that it was made of.
 *
 * @param float `[N, 3, S, S]` to `[N, D]`
 * @param quantised the same
 * @param pictures to compare them on
 * @param options where, and by which labels
 * @throws {TrainerError} when there is no picture, or prompts are of another embedding space
 * @throws {ClipEError} when one of the models is not an image encoder
 */
export async function measureFidelity(
  float: ModelFiles,
  quantised: ModelFiles,
  pictures: PictureInputs,
  options: FidelityOptions,
): Promise<Fidelity> {
  if (pictures.inputs.length === 0) {
    throw new TrainerError("Cannot compare the encoders: there is no picture");
  }
  const [before, after] = [bytesOf(float), bytesOf(quantised)];
  const backends: BackendFidelity[] = [];
  for (const backend of options.backends) {
    const encoders: Encoder[] = [];
    try {
      for (const files of [float, quantised]) {
        encoders.push(await openForPictures(files, pictures, backend));
      }
      backends.push(await compare(encoders[0], encoders[1], pictures.inputs, options));
    } finally {
      for (const encoder of encoders) await encoder.close();
    }
  }
  return {
    pictures: pictures.inputs.length,
    bytes: { float: before, quantised: after, ratio: after / before },
    backends,
  };
}

function bytesOf({ bytes, externalData }: ModelFiles): number {
  return externalData.reduce((sum, { bytes }) => sum + bytes.length, bytes.length);
}

async function compare(
  float: Encoder,
  quantised: Encoder,
  inputs: readonly Float32Array[],
  { prompts = new Map(), onPicture, signal }: FidelityOptions,
): Promise<BackendFidelity> {
  const embeddings: Float32Array[][] = [[], []];
  const times: number[][] = [[], []];
  const breathe = breather(signal);
  for (let run = 0; run < Math.max(inputs.length, MIN_TIMED_RUNS); run++) {
    await breathe();
    for (const [i, encoder] of [float, quantised].entries()) {
      const start = performance.now();
      const embedding = await encoder.encode(inputs[run % inputs.length]);
      times[i].push(performance.now() - start);
      if (run < inputs.length) embeddings[i].push(embedding);
    }
    if (run < inputs.length) onPicture?.();
  }
  const [expected, actual] = embeddings;
  const cosines = expected.map((row, i) => cosine(row, actual[i]));
  const centred = inputs.length > 1 ? centredCosines(actual, expected) : undefined;
  const [before, after] = times.map(median);
  return {
    backend: float.backend,
    cosine: {
      min: Math.min(...cosines),
      median: median(cosines),
      mean: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
    },
    ...(centred && { centredCosine: { min: Math.min(...centred), median: median(centred) } }),
    agreement: [...prompts].map(([taxonomy, vectors]) => {
      checkSize(taxonomy, vectors, expected[0].length);
      return { taxonomy, pictures: countAgreeing(actual, expected, vectors) };
    }),
    latency: { float: before, quantised: after, ratio: after / before },
  };
}

function checkSize(taxonomy: string, { size }: Prompts, expected: number): void {
  if (size === expected) return;
  throw new TrainerError(
    `Cannot compare by the prompts of ${taxonomy}: they have ${size} dimensions, and the embeddings ${expected}. ` +
      "Name a bundle of this encoder",
  );
}
