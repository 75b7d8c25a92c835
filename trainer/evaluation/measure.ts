/**
 * What a method came to on one data set, over seeds: a row of the tables.
 */

import { evaluate } from "./evaluate.ts";
import { bootstrapIntervals, type BootstrapOptions } from "./bootstrap.ts";
import type { Measurement } from "./experiment.ts";
import { reliabilityBins } from "./reliability.ts";

/** What else is known of a method, and how its intervals are found. */
export interface MeasureOptions extends BootstrapOptions {
  /** On pictures that were held back from training; decides what is served. */
  readonly validationAccuracy?: number;
}

/**
 * Measures a method.
 *
 * @param row what tables call it
 * @param scoresBySeed of each seed, at least one: per picture, `[K]`, summing to 1
 * @param targets per picture, its label
 * @param classes K
 * @param options of intervals; what validation gave
 * @throws {RangeError} when there are no seeds or pictures, or not as many scores as labels
 */
export function measure(
  row: string,
  scoresBySeed: readonly (readonly ArrayLike<number>[])[],
  targets: ArrayLike<number>,
  classes: number,
  options: MeasureOptions = {},
): Measurement {
  const [first] = scoresBySeed;
  if (!first) throw new RangeError(`Cannot measure ${row}: there are no scores`);
  const { validationAccuracy } = options;
  return {
    row,
    evaluations: scoresBySeed.map((scores) => evaluate(scores, targets, classes)),
    intervals: bootstrapIntervals(first, targets, classes, options),
    reliability: reliabilityBins(first, targets),
    ...(validationAccuracy !== undefined && { validationAccuracy }),
  };
}
