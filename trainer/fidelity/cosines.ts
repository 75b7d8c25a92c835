/**
 * How near embeddings stay to others of the same pictures: numbers in, numbers out.
 */

import { cosineLogits, type Prompts } from "@clip-e/shared";

/**
 * The cosine of the angle between two vectors.
 *
 * @returns in -1..1, and 0 where one of them is all zeros
 */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

/**
 * The cosine of each pair after the mean of the expected is taken off both. What all embeddings share, which may be nearly
 * all of them, says nothing of a picture: this is about what tells pictures apart.
 *
 * @param actual `[D]` for each picture
 * @param expected the same pictures'
 */
export function centredCosines(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
): number[] {
  const mean = meanOf(expected);
  const centred = (row: Float32Array) => Float64Array.from(row, (value, i) => value - mean[i]);
  return expected.map((row, i) => cosine(centred(actual[i]), centred(row)));
}

function meanOf(rows: readonly Float32Array[]): Float64Array {
  const mean = new Float64Array(rows[0].length);
  for (const row of rows) row.forEach((value, i) => mean[i] += value / rows.length);
  return mean;
}

/** How many pictures have the same best label. */
export function countAgreeing(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  prompts: Prompts,
): number {
  const best = (embedding: Float32Array) => {
    const logits = cosineLogits(embedding, prompts);
    return logits.indexOf(Math.max(...logits));
  };
  return expected.filter((row, i) => best(row) === best(actual[i])).length;
}

/** The middle of some numbers, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}
