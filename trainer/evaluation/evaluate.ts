/**
 * How good scores are, in the figures that a model card and a manifest state. Pure arithmetic on scores
 * and labels: it does not know how either came about.
 */

import { expectedCalibrationError, topLabel } from "../fit/calibration.ts";

/** Figures of one set of scored examples. */
export interface Evaluation {
  /** Share of examples whose top score is their label. */
  readonly accuracy: number;
  /** The mean over labels of the share of a label's examples that were found (recall). */
  readonly balancedAccuracy: number;
  /** The mean over labels of F1; labels neither present nor predicted are left out. */
  readonly macroF1: number;
  /** Area under the ROC curve. With two labels, where both are present. */
  readonly rocAuc?: number;
  /** `[K][K]`: `confusion[i][j]` examples of label i had their top score at label j. */
  readonly confusion: readonly (readonly number[])[];
  /** See {@linkcode expectedCalibrationError}, 15 bins. */
  readonly expectedCalibrationError: number;
  /** Mean negative log of the label's score, in nats; a score below 1e-15 counts as that. */
  readonly negativeLogLikelihood: number;
  /** How many examples. */
  readonly count: number;
  /** Share of the commonest label: the accuracy of always saying it. */
  readonly majority: number;
}

/** Keeps one score of 0 from making the mean infinite. */
const LEAST_SCORE = 1e-15;

/**
 * What an example adds to the negative log-likelihood.
 *
 * @param scores `[K]`
 * @param target its label
 */
export function surpriseOf(scores: ArrayLike<number>, target: number): number {
  return -Math.log(Math.max(LEAST_SCORE, scores[target]));
}

/**
 * Measures scores against labels.
 *
 * @param scores per example, `[K]`, summing to 1
 * @param targets per example, its label
 * @param classes K
 * @throws {RangeError} when there are no examples, or not as many scores as labels
 */
export function evaluate(
  scores: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
  classes: number,
): Evaluation {
  const count = scores.length;
  if (count === 0) throw new RangeError("Cannot evaluate: there are no examples");
  if (count !== targets.length) {
    throw new RangeError(`Cannot evaluate ${count} scores against ${targets.length} labels`);
  }
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let surprise = 0;
  for (const [i, score] of scores.entries()) {
    confusion[targets[i]][topLabel(score)]++;
    surprise += surpriseOf(score, targets[i]);
  }
  const isBinary = classes === 2 && confusion.every((row) => sum(row) > 0);
  const { majority, ...figures } = confusionFigures(confusion);
  return {
    ...figures,
    ...(isBinary && { rocAuc: rocAuc(scores.map((score) => score[1]), targets) }),
    confusion,
    expectedCalibrationError: expectedCalibrationError(scores, targets),
    negativeLogLikelihood: surprise / count,
    count,
    majority,
  };
}

/** The figures that depend on which label came first alone. */
export type ConfusionFigures = Pick<
  Evaluation,
  "accuracy" | "balancedAccuracy" | "macroF1" | "majority"
>;

/**
 * Figures of a confusion matrix.
 *
 * @param confusion `[K][K]`, examples by label and by top score; at least one
 */
export function confusionFigures(
  confusion: readonly (readonly number[])[],
): ConfusionFigures {
  const labels = confusion.map((row, k) => ({
    hits: row[k],
    present: sum(row),
    predicted: sum(confusion.map((other) => other[k])),
  }));
  const count = sum(labels.map(({ present }) => present));
  const recalls = labels.filter(({ present }) => present > 0)
    .map(({ hits, present }) => hits / present);
  const f1s = labels.filter(({ present, predicted }) => present + predicted > 0)
    .map(({ hits, present, predicted }) => 2 * hits / (present + predicted));
  return {
    accuracy: sum(labels.map(({ hits }) => hits)) / count,
    balancedAccuracy: sum(recalls) / recalls.length,
    macroF1: sum(f1s) / f1s.length,
    majority: Math.max(...labels.map(({ present }) => present)) / count,
  };
}

/**
 * Area under the ROC curve: the chance that an example of label 1 scores above one of label 0, a tie
 * counting half. By ranks (Mann and Whitney's U).
 *
 * @param scores per example, higher for label 1
 * @param targets per example, 0 or 1
 * @returns 0 to 1; NaN when a label is missing
 */
export function rocAuc(scores: readonly number[], targets: ArrayLike<number>): number {
  const order = [...scores.keys()].sort((a, b) => scores[a] - scores[b]);
  let positives = 0;
  let rankSum = 0; // of label 1, ranks from 1
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && scores[order[end]] === scores[order[start]]) end++;
    const rank = (start + 1 + end) / 2; // the mean of the ranks of equals
    for (const i of order.slice(start, end)) {
      if (targets[i] !== 1) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  return (rankSum - positives * (positives + 1) / 2) / (positives * negatives);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
