/**
 * How sure a method was, beside how often it was right: the bins of a reliability diagram.
 */

import { topLabel } from "../fit/calibration.ts";
import type { ReliabilityBin } from "./experiment.ts";

/** Bins of equal width in confidence, as in {@linkcode expectedCalibrationError}. */
export const CALIBRATION_BINS = 15;

/**
 * The bin that a confidence belongs to; one on the border between two belongs to the upper.
 *
 * @param confidence a top score, 0 to 1
 */
export function confidenceBin(confidence: number): number {
  return Math.min(CALIBRATION_BINS - 1, Math.floor(confidence * CALIBRATION_BINS));
}

/**
 * Sorts examples into bins by their top score. The mean distance between a bin's confidence and accuracy, each bin counting
 * as much as it has examples, is the expected calibration error.
 *
 * @param scores per example, `[K]`, summing to 1
 * @param targets per example, its label
 * @returns by rising confidence
 */
export function reliabilityBins(
  scores: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
): ReliabilityBin[] {
  const bins = Array.from(
    { length: CALIBRATION_BINS },
    () => ({ count: 0, confidence: 0, accuracy: 0 }),
  );
  for (const [i, score] of scores.entries()) {
    const top = topLabel(score);
    const bin = bins[confidenceBin(score[top])];
    bin.count++;
    bin.confidence += score[top];
    bin.accuracy += top === targets[i] ? 1 : 0;
  }
  return bins.map(({ count, confidence, accuracy }) => ({
    count,
    confidence: confidence / Math.max(1, count),
    accuracy: accuracy / Math.max(1, count),
  }));
}
