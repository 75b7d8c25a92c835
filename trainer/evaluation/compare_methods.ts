/**
 * Methods against one another on the same pictures.
 */

import { topLabel } from "../fit/calibration.ts";
import type { Comparison } from "./experiment.ts";
import { mcnemar } from "./mcnemar.ts";

/** What a method says of some pictures. */
export interface MethodScores {
  /** The method's row. */
  readonly row: string;
  /** Per picture, `[K]`, scores or logits. */
  readonly scores: readonly ArrayLike<number>[];
}

/**
 * Compares every two methods, in their order. Their p are not corrected for how many they are.
 *
 * @param methods on the same pictures
 * @param targets per picture, its label
 * @throws {RangeError} when a method has not as many scores as there are labels
 */
export function compareMethods(
  methods: readonly MethodScores[],
  targets: ArrayLike<number>,
): Comparison[] {
  const answers = methods.map(({ row, scores }) => {
    if (scores.length !== targets.length) {
      throw new RangeError(
        `Cannot compare ${row}: it has ${scores.length} scores for ${targets.length} labels`,
      );
    }
    return { row, isRight: scores.map((score, i) => topLabel(score) === targets[i]) };
  });
  return answers.flatMap((first, i) =>
    answers.slice(i + 1).map((second) => compare(first, second))
  );
}

interface Answers {
  readonly row: string;
  readonly isRight: readonly boolean[];
}

function compare(first: Answers, second: Answers): Comparison {
  let [onlyFirst, onlySecond] = [0, 0];
  for (const [i, isRight] of first.isRight.entries()) {
    if (isRight && !second.isRight[i]) onlyFirst++;
    if (!isRight && second.isRight[i]) onlySecond++;
  }
  const p = mcnemar(onlyFirst, onlySecond);
  return { first: first.row, second: second.row, onlyFirst, onlySecond, p };
}
