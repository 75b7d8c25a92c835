/**
 * From an experiment's plan of one head to its fit.
 */

import { fit, type FittedHead } from "../fit/fit.ts";
import type { FitOptions, HeadPlan } from "../fit/fit_options.ts";
import type { Trainee } from "./rows.ts";
import type { Embedded, FitPlan } from "./run_experiment.ts";

/** An adapter keeps four fifths of the embedding, as CLIP-Adapter does (arXiv 2110.04544). */
const BLEND = 0.2;

/** Seeds of fits are 32-bit numbers. */
const SEEDS = 2 ** 32;

/** Options of {@linkcode fitPlan}. */
export interface FitPlanOptions extends FitOptions {
  /** Units of a committee, shared out among its members. */
  readonly hidden: number;
  /** Of cross-entropy heads and adapters. */
  readonly balance: boolean;
  /** Of cross-entropy heads and adapters. */
  readonly smoothing: number;
}

/**
 * Fits a head.
 *
 * @param data to learn from
 * @param plan which head, of which pictures
 * @param options how
 */
export async function fitPlan(
  { embeddings, size }: Embedded,
  { trainee, targets, train, validation, members, seed }: FitPlan,
  { hidden, balance, smoothing, ...options }: FitPlanOptions,
): Promise<FittedHead> {
  const classes = trainee.task.taxonomy.labels.length;
  const isPublished = trainee.kind === "contrastive";
  return await fit({ embeddings, size, targets, classes }, train, validation, headPlan(trainee), {
    ...options,
    hidden: Math.ceil(hidden / members),
    input: trainee.input,
    seed: seed % SEEDS,
    ...(balance && !isPublished && { classWeights: "balanced" }),
    ...(smoothing > 0 && !isPublished && { labelSmoothing: smoothing }),
  });
}

function headPlan({ kind, task: { zeroShot, taxonomy } }: Trainee): HeadPlan {
  if (kind === "cross-entropy") return { kind };
  if (!zeroShot) throw new RangeError(`${taxonomy.id} has no prompts`);
  const { prompts } = zeroShot;
  return { kind: "contrastive", prompts, ...(kind === "adapter" && { blend: BLEND }) };
}
