/** Figures the long way, one example at a time, and random examples to measure. */

import type { Random } from "../../random.ts";

/** Examples with scores that know something of their labels. */
export interface Examples {
  readonly scores: number[][];
  readonly targets: number[];
}

/** Draws examples; scores sum to 1. */
export function randomExamples(random: Random, count: number, classes: number): Examples {
  const targets = Array.from({ length: count }, () => random.integer(0, classes - 1));
  const scores = targets.map((target) => {
    const raw = Array.from(
      { length: classes },
      (_, k) => random.fraction() + (k === target ? 0.4 : 0),
    );
    const sum = raw.reduce((a, b) => a + b);
    return raw.map((v) => v / sum);
  });
  return { scores, targets };
}

/** The place of the largest. */
export function best(scores: readonly number[]): number {
  return scores.indexOf(Math.max(...scores));
}

/** Whether each example's best score is its label's. */
export function hits({ scores, targets }: Examples): boolean[] {
  return scores.map((score, i) => best(score) === targets[i]);
}

/** Share of pairs of an example of label 1 and one of label 0 that are in order; a tie is half a pair. */
export function pairwiseRocAuc({ scores, targets }: Examples): number {
  let [won, pairs] = [0, 0];
  for (const [i, a] of scores.entries()) {
    for (const [j, b] of scores.entries()) {
      if (targets[i] !== 1 || targets[j] !== 0) continue;
      pairs++;
      won += a[1] > b[1] ? 1 : a[1] === b[1] ? 0.5 : 0;
    }
  }
  return won / pairs;
}
