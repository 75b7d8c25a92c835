/**
 * The columns of a head's output on the device: one for each label, and padding up to a multiple of four.
 */

import type { Prompts } from "@clip-e/shared";
import { numpy as np } from "@jax-js/jax";
import { padUnits } from "./layers.ts";

/** Added to a logit that nothing may score by: its exponential is 0. */
const NEVER = -1e9;

/**
 * What a head should say for each label: all for the label, less what smoothing deals out to all of them alike
 * (arXiv 1512.00567).
 *
 * @param count of labels, K
 * @param smoothing the share that is dealt out
 * @returns `[K]` of `[C]`
 */
export function columnTargets(count: number, smoothing = 0): Float32Array[] {
  return Array.from({ length: count }, (_, label) => {
    const target = new Float32Array(padUnits(count)).fill(smoothing / count, 0, count);
    target[label] += 1 - smoothing;
    return target;
  });
}

/**
 * What to add to logits so that padding scores 0.
 *
 * @param count of labels, K
 * @returns `[C]`
 */
export function columnOffset(count: number): np.Array {
  return np.array(new Float32Array(padUnits(count)).fill(NEVER, count));
}

/**
 * Prompts, one in each label's column, and 0 in padding.
 *
 * @param prompts of the labels, in order
 * @returns `[C, P]`
 */
export function promptColumns({ count, size, vectors }: Prompts): np.Array {
  const padded = new Float32Array(padUnits(count) * size);
  padded.set(vectors);
  return np.array(padded, { shape: [padUnits(count), size] });
}
