/**
 * How a model's logits become scores: as it was trained, by a softmax over labels (CLIP) or a sigmoid of each (SigLIP).
 */

import { sigmoid } from "./sigmoid.ts";
import { softmax } from "./softmax.ts";

/** The ways from logits to scores. */
export const NORMALIZATIONS = ["softmax", "sigmoid"] as const;

/** A way from logits to scores: `softmax` scores sum to 1, `sigmoid` scores each label on its own. */
export type Normalization = (typeof NORMALIZATIONS)[number];

/** How logits become scores. */
export interface Scoring {
  /** Divides the logits, above 0: 1 over a model's logit scale. */
  readonly temperature: number;
  /** By default `softmax`. */
  readonly normalization?: Normalization | undefined;
  /** Added to what the temperature leaves; 0 by default, and nothing to a softmax. */
  readonly bias?: number | undefined;
}

/**
 * Scores logits: softmax(z / T), or sigmoid(z / T + b) as SigLIP does (Zhai et al. 2023, section 3.2).
 *
 * @param logits `[K]`, cosines or what a head gives
 * @param scoring how
 * @returns `[K]`, each in 0..1
 * @throws {RangeError} when the temperature is not a positive number
 */
export function scoreLogits(logits: ArrayLike<number>, scoring: Scoring): Float64Array {
  const { temperature, normalization = "softmax", bias = 0 } = scoring;
  if (normalization === "softmax") return softmax(logits, temperature);
  if (!(temperature > 0)) {
    throw new RangeError(`Cannot score at temperature ${temperature}: it must be above 0`);
  }
  return sigmoid(Float64Array.from(logits, (z) => z / temperature + bias));
}
