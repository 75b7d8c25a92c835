/**
 * What a manifest says of an encoder that was quantised: the worst of what was measured on any backend, for that is what a
 * bundle promises everywhere.
 */

import { type Backend, openEncoder } from "@clip-e/edge/encoder";
import { goldenInput, type ManifestParity, relativeDistance } from "@clip-e/shared";
import type { EncoderFile } from "./encoder_file.ts";
import type { Fidelity } from "../fidelity/measure_fidelity.ts";
import type { TargetSearch } from "../fidelity/quantize_to_target.ts";
import type { ModelFiles } from "../quantize/mod.ts";

/**
 * Each backend rounds in its own way, and lies as far from another one as from the float encoder: what is allowed is a
 * few times what was measured.
 */
const TOLERANCE_FACTOR = 3;
const LEAST_TOLERANCE = 1e-3;

/** A quantised encoder, and what was measured of it. */
export interface MeasuredEncoder {
  /** The encoder. */
  readonly files: ModelFiles;
  /** How near it is to the float one. */
  readonly fidelity: Fidelity;
  /** What stayed in floats, where a target was given. */
  readonly search?: TargetSearch;
}

/**
 * Says what quantising cost, and measures how far the golden embedding may be off.
 *
 * @param float the encoder that it was made of
 * @param quantised what was made of it
 * @param backends to run the golden input on
 */
export async function measureParity(
  float: EncoderFile,
  { files, fidelity, search }: MeasuredEncoder,
  backends: readonly Backend[],
): Promise<ManifestParity> {
  const distances: number[] = [];
  for (const backend of backends) {
    const { externalData } = files;
    const { crop } = float.preprocessing;
    const encoder = await openEncoder(files.bytes, crop, { backend, externalData });
    const embedding = await encoder.encode(goldenInput(float.preprocessing));
    distances.push(relativeDistance(embedding, float.goldenEmbedding));
    await encoder.close();
  }
  const kept = search?.nodes.filter(({ isKept }) => isKept).map(({ name }) => name) ?? [];
  return {
    float: float.sha256,
    tolerance: Math.max(TOLERANCE_FACTOR * Math.max(...distances), LEAST_TOLERANCE),
    cosineMin: leastCosine(fidelity),
    cosineMedian: Math.min(...fidelity.backends.map(({ cosine }) => cosine.median)),
    pictures: fidelity.pictures,
    agreement: leastAgreement(fidelity),
    latency: fidelity.backends.map(({ backend, latency }) => ({
      backend,
      ratio: Number(latency.ratio.toFixed(2)),
    })),
    // A sum of shares may come out a little above 1.
    ...(search && kept.length > 0 && {
      kept: { nodes: kept, share: Math.min(1, search.keptShare) },
    }),
  };
}

/**
 * The least cosine that any picture's two embeddings have.
 *
 * @param fidelity on at least one backend
 */
export function leastCosine({ backends }: Fidelity): number {
  return Math.min(...backends.map(({ cosine }) => cosine.min));
}

/**
 * By taxonomy, the share of the pictures whose best label is the same: the least of the backends'.
 *
 * @param fidelity on at least one backend
 */
export function leastAgreement(
  { pictures, backends }: Fidelity,
): { taxonomy: string; share: number }[] {
  return backends[0].agreement.map(({ taxonomy }, i) => ({
    taxonomy,
    share: Math.min(...backends.map(({ agreement }) => agreement[i].pictures)) / pictures,
  }));
}
