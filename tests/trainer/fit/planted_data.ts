/** Data of which it is known what a head can learn. */

import { type Prompts, unitVector } from "@clip-e/shared";
import type { FitData } from "../../../trainer/fit/fit_data.ts";
import { type Random, seededRandom } from "../../random.ts";

/** Numbers of an embedding. */
export const SIZE = 8;

/** Whole numbers from one to before another. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Features of unlike means and deviations, as encoders give them. */
function features(count: number, random: Random): Float32Array {
  return random.floats(count * SIZE).map((v, i) => 3 * (i % SIZE) + v * (1 + i % SIZE));
}

/** Labels that are told apart by linear functions of the embedding, with room between them. */
export function separable(count: number, seed: number, classes = 3): FitData {
  const random = seededRandom(seed);
  const teacher = random.floats(classes * SIZE);
  const rows: number[] = [];
  const targets: number[] = [];
  while (targets.length < count) {
    const row = features(1, random);
    const votes = range(0, classes).map((k) =>
      row.reduce((sum, x, d) => sum + teacher[k * SIZE + d] * (x - 3 * d) / (1 + d), 0)
    );
    const [first, second] = votes.toSorted((a, b) => b - a);
    if (first - second < 0.3) continue;
    rows.push(...row);
    targets.push(votes.indexOf(first));
  }
  return {
    embeddings: Float32Array.from(rows),
    size: SIZE,
    targets: Int32Array.from(targets),
    classes,
  };
}

/** Labels that have nothing to do with the embeddings: what is learnt of them is learnt by heart. */
export function noise(count: number, seed: number): FitData {
  const random = seededRandom(seed);
  return {
    embeddings: features(count, random),
    size: SIZE,
    targets: Int32Array.from({ length: count }, () => random.integer(0, 2)),
    classes: 3,
  };
}

/** Unit vectors in random directions. */
export function prompts(count: number, size: number, seed: number): Prompts {
  const random = seededRandom(seed);
  const vectors = range(0, count).flatMap(() => [...unitVector(random.floats(size))]);
  return { count, size, vectors: Float32Array.from(vectors) };
}
