/**
 * Figures of examples that count more than once, or not at all: what a bootstrap asks for a thousand times. Whatever does not
 * depend on the counts is worked out once.
 */

import { topLabel } from "../fit/calibration.ts";
import { confusionFigures, type Evaluation, surpriseOf } from "./evaluate.ts";
import { CALIBRATION_BINS, confidenceBin } from "./reliability.ts";

/** The figures of an evaluation that counts change. */
export type WeighedFigures = Omit<Evaluation, "confusion" | "count" | "majority">;

/**
 * Prepares to measure some examples under many counts.
 *
 * @param scores per example, `[K]`, summing to 1
 * @param targets per example, its label
 * @param classes K
 * @returns a function from each example's count to the figures of the examples so often
 */
export function weighedFigures(
  scores: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
  classes: number,
): (counts: Uint32Array) => WeighedFigures {
  const size = scores.length;
  const cell = new Uint32Array(size); // in the confusion matrix
  const bin = new Uint8Array(size);
  const surplus = new Float64Array(size); // confidence less correctness
  const surprise = new Float64Array(size);
  for (const [i, score] of scores.entries()) {
    const top = topLabel(score);
    cell[i] = targets[i] * classes + top;
    bin[i] = confidenceBin(score[top]);
    surplus[i] = score[top] - (top === targets[i] ? 1 : 0);
    surprise[i] = surpriseOf(score, targets[i]);
  }
  const rocAucOf = classes === 2 ? weighedRocAuc(scores, targets) : undefined;

  return (counts) => {
    const cells = new Float64Array(classes * classes);
    const surpluses = new Float64Array(CALIBRATION_BINS);
    let surprises = 0;
    let total = 0;
    for (let i = 0; i < size; i++) {
      const count = counts[i];
      cells[cell[i]] += count;
      surpluses[bin[i]] += count * surplus[i];
      surprises += count * surprise[i];
      total += count;
    }
    const confusion = Array.from(
      { length: classes },
      (_, k) => [...cells.subarray(k * classes, (k + 1) * classes)],
    );
    const { majority: _, ...figures } = confusionFigures(confusion);
    const rocAuc = rocAucOf?.(counts) ?? NaN;
    return {
      ...figures,
      ...(!Number.isNaN(rocAuc) && { rocAuc }),
      expectedCalibrationError: surpluses.reduce((sum, x) => sum + Math.abs(x), 0) / total,
      negativeLogLikelihood: surprises / total,
    };
  };
}

/** Area under the ROC curve by the counts of pairs: a tie counts half; NaN when a label is missing. */
function weighedRocAuc(
  scores: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
): (counts: Uint32Array) => number {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a][1] - scores[b][1]);
  const isPositive = Uint8Array.from(order, (i) => targets[i] === 1 ? 1 : 0);
  const endsTie = Uint8Array.from(
    order,
    (i, at) => at + 1 === order.length || scores[order[at + 1]][1] !== scores[i][1] ? 1 : 0,
  );
  return (counts) => {
    let pairs = 0; // won by label 1, and half of those that are tied
    let [below, positives] = [0, 0];
    let [tiedNegatives, tiedPositives] = [0, 0];
    for (let at = 0; at < order.length; at++) {
      const count = counts[order[at]];
      if (isPositive[at]) tiedPositives += count;
      else tiedNegatives += count;
      if (!endsTie[at]) continue;
      pairs += tiedPositives * (below + tiedNegatives / 2);
      below += tiedNegatives;
      positives += tiedPositives;
      tiedNegatives = tiedPositives = 0;
    }
    return pairs / (positives * below);
  };
}
