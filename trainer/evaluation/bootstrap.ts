/**
 * How far a figure may lie from the truth because these pictures were measured and not others: the percentile bootstrap
 * (Efron 1979). Pictures are drawn anew, with replacement, as many as there are, and the figure is taken again.
 *
 * Draws are not stratified: a test set is a sample of pictures, and how many of each label it holds is chance too. What is
 * counted is how often each picture was drawn; scores are looked at once, so that 1,000 draws of 50,000 pictures take
 * about half a second. Intervals tell of pictures alone, not of training: that is what several seeds are for. The calibration
 * error of a redrawn set is larger on average than that of the set itself, so that its interval lies high.
 */

import { Random } from "../random.ts";
import type { Interval } from "./experiment.ts";
import { weighedFigures } from "./weighed_figures.ts";

/** How intervals are found. */
export interface BootstrapOptions {
  /** How many sets are drawn; 1,000 by default. */
  readonly resamples?: number;
  /** Of the draws; 0 by default. */
  readonly seed?: number;
}

/** The figures that have intervals: all but counts. */
const FIGURES = [
  "accuracy",
  "balancedAccuracy",
  "macroF1",
  "rocAuc",
  "expectedCalibrationError",
  "negativeLogLikelihood",
] as const;

/**
 * Finds the 95 % interval of every figure of an evaluation.
 *
 * @param scores per example, `[K]`, summing to 1
 * @param targets per example, its label
 * @param classes K
 * @param options how many draws
 * @returns by the figure's name in {@linkcode Evaluation}
 * @throws {RangeError} when there are no examples, or not as many scores as labels
 */
export function bootstrapIntervals(
  scores: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
  classes: number,
  { resamples = 1000, seed = 0 }: BootstrapOptions = {},
): Record<string, Interval> {
  const size = scores.length;
  if (size === 0) throw new RangeError("Cannot find intervals: there are no examples");
  if (size !== targets.length) {
    throw new RangeError(`Cannot find intervals of ${size} scores and ${targets.length} labels`);
  }
  const figuresOf = weighedFigures(scores, targets, classes);
  const random = new Random(seed);
  const draws = new Uint32Array(size);
  const drawn = Array.from({ length: resamples }, () => {
    draws.fill(0);
    for (let i = 0; i < size; i++) draws[Math.floor(random.next() * size)]++;
    return figuresOf(draws);
  });
  return Object.fromEntries(FIGURES.flatMap((name) => {
    const values = Float64Array.from(drawn.flatMap((figures) => figures[name] ?? [])).sort();
    if (values.length === 0) return [];
    return [[name, { low: quantile(values, 0.025), high: quantile(values, 0.975) }]];
  }));
}

/**
 * The value below which a share of values lies, between two of them by a straight line.
 *
 * @param sorted rising, at least one
 * @param share 0 to 1
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}
