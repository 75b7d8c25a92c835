/**
 * All methods on the pictures of one data set, for one taxonomy: a block of rows in a report.
 */

import type { Evaluation } from "./evaluate.ts";
import { compareMethods } from "./compare_methods.ts";
import type { TaskResult } from "./experiment.ts";
import { measure } from "./measure.ts";
import { pickMistakes } from "./pick_mistakes.ts";

/** What a method says of the pictures. */
export interface TaskRow {
  /** The method's row. */
  readonly row: string;
  /** Of the first seed, per picture, `[K]`, summing to 1. */
  readonly scores: readonly ArrayLike<number>[];
  /** Of every seed; by default that of `scores` alone. */
  readonly evaluations?: readonly Evaluation[];
  /** On pictures held back, where there were any. */
  readonly validationAccuracy?: number;
}

/** What is measured, and what it is called. */
export interface TaskOptions
  extends Pick<TaskResult, "taxonomy" | "labels" | "dataset" | "protocol"> {
  /** Per picture, its name. */
  readonly names: readonly string[];
  /** Per picture, its label's place. */
  readonly targets: ArrayLike<number>;
  /** In the order of tables. */
  readonly rows: readonly TaskRow[];
  /** The row that serves, whose mistakes are shown. */
  readonly served: string | undefined;
}

/**
 * Measures, compares, and picks mistakes.
 *
 * @param options what is measured
 * @throws {RangeError} when there are no pictures, or not as many scores as labels
 */
export function measureTask(
  { names, targets, rows, served, ...task }: TaskOptions,
): TaskResult {
  const { labels } = task;
  const best = rows.find(({ row }) => row === served);
  return {
    ...task,
    measurements: rows.map(({ row, scores, evaluations, validationAccuracy }) => ({
      ...measure(row, [scores], targets, labels.length, {
        ...(validationAccuracy !== undefined && { validationAccuracy }),
      }),
      ...(evaluations && { evaluations }),
    })),
    comparisons: compareMethods(rows, targets),
    ...(served !== undefined && { served }),
    mistakes: best ? pickMistakes(best.scores, { names, targets, labels }) : [],
  };
}
