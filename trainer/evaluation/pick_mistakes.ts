/**
 * The pictures that a method was surest of and wrong about, for people to look at.
 */

import { topLabel } from "../fit/calibration.ts";
import type { Mistake } from "./experiment.ts";

/** Pictures, in the order of scores. */
export interface NamedPictures {
  /** Each one's name in its data set. */
  readonly names: readonly string[];
  /** Each one's label, by its place in `labels`. */
  readonly targets: ArrayLike<number>;
  /** Ids, in the taxonomy's order. */
  readonly labels: readonly string[];
}

/**
 * Picks mistakes, without thumbnails.
 *
 * @param scores per picture, `[K]`, summing to 1
 * @param pictures which they are
 * @param count at most so many; 12 by default
 * @returns the surest first, of equals those that come first
 */
export function pickMistakes(
  scores: readonly ArrayLike<number>[],
  { names, targets, labels }: NamedPictures,
  count = 12,
): Mistake[] {
  return scores.flatMap((score, i): Mistake[] => {
    const top = topLabel(score);
    if (top === targets[i]) return [];
    return [{
      name: names[i],
      label: labels[targets[i]],
      predicted: labels[top],
      score: score[top],
    }];
  }).sort((a, b) => b.score - a.score).slice(0, count);
}
