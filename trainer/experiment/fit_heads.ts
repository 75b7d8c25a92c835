/**
 * Runs an experiment's fits, with progress, each saved so that it can go on after it was cut off.
 */

import { sha256 } from "@clip-e/shared";
import { join } from "node:path";
import type { Device } from "../fit/device.ts";
import type { FitOptions } from "../fit/fit_options.ts";
import { startProgress } from "../progress.ts";
import { fitPlan } from "./fit_plan.ts";
import { countFits } from "./plan_words.ts";
import type { Protocol } from "./protocol.ts";
import type { Recipe } from "./recipe.ts";
import type { Row } from "./rows.ts";
import {
  type Embedded,
  type ExperimentOptions,
  type ExperimentOutcome,
  runExperiment,
} from "./run_experiment.ts";

/** A run that is cut off loses so many seconds of training at most, or an epoch. */
const SAVE_EVERY = 15;

/** How heads are fitted, and where the work is kept. */
export interface FitHeadsOptions
  extends Omit<ExperimentOptions, "fit" | "members" | "device" | "signal"> {
  /** The defaults. */
  readonly recipe: Recipe;
  /** Units of a head, or of a committee together. */
  readonly hidden: number;
  /** Weighs labels so that each counts the same. */
  readonly balance: boolean;
  /** The share of an example that is dealt out to all labels. */
  readonly smoothing: number;
  /** What else was asked for. */
  readonly fit: FitOptions;
  /** What computes. */
  readonly device: Device;
  /** A folder for work that is under way; it is removed once all is done. */
  readonly work: string;
  /** Ends the work; what is done is kept. */
  readonly signal: AbortSignal;
}

/**
 * Fits and measures all rows.
 *
 * @param data to learn from
 * @param rows to compare
 * @param protocol who learns and who measures
 * @param options how
 */
export async function fitHeads(
  data: Embedded,
  rows: readonly Row[],
  protocol: Protocol,
  options: FitHeadsOptions,
): Promise<ExperimentOutcome> {
  const { recipe, hidden, balance, smoothing, device, work, signal, ...rest } = options;
  const count = countFits(rows, protocol, rest.seeds.length, recipe.members);
  const progress = startProgress("Training", count);
  try {
    const outcome = await runExperiment(data, rows, protocol, {
      ...rest,
      device,
      signal,
      members: recipe.members,
      fit: async (plan) => {
        const fitted = await fitPlan(data, plan, {
          ...options.fit,
          preset: recipe.preset,
          ...{ hidden, balance, smoothing, device, signal },
          checkpoint: {
            path: join(work, `${await fileName(plan.name)}.json`),
            everySeconds: SAVE_EVERY,
          },
          onEpoch: ({ epoch, validationLoss, validationAccuracy }) =>
            progress.note(
              `${plan.name}, epoch ${epoch}, validation loss ${validationLoss.toFixed(4)}, ` +
                `accuracy ${(100 * validationAccuracy).toFixed(1)} %`,
            ),
        });
        progress.step();
        return fitted;
      },
    });
    await Deno.remove(work, { recursive: true }).catch(() => {});
    return outcome;
  } finally {
    await progress.stop();
  }
}

/** A name that any file system takes. */
async function fileName(name: string): Promise<string> {
  const digest = await sha256(new TextEncoder().encode(name));
  return `${name.replace(/[^a-z0-9]+/gi, "-")}-${digest.slice(0, 8)}`;
}

/**
 * What the work of a run is kept under: the same run finds it again, and no other does.
 *
 * @param run all that it depends on
 */
export async function workName(run: unknown): Promise<string> {
  return (await sha256(new TextEncoder().encode(JSON.stringify(run)))).slice(0, 16);
}
