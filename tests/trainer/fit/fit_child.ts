/**
 * A training run in a process of its own, to be killed: `fit_child.ts PLAN PATH EVERY`. Says each epoch on a line. The
 * test makes the same run of it.
 */

import type { CheckpointOptions } from "../../../trainer/fit/checkpoint.ts";
import { fit, type FittedHead } from "../../../trainer/fit/fit.ts";
import type { FitOptions, HeadPlan } from "../../../trainer/fit/fit_options.ts";
import { noise, prompts, range, SIZE } from "./planted_data.ts";

/** Runs with something of everything that a checkpoint has to keep. */
export const PLANS: Readonly<Record<string, HeadPlan>> = {
  "cross-entropy": { kind: "cross-entropy" },
  contrastive: { kind: "contrastive", prompts: prompts(3, 12, 1) },
  adapter: { kind: "contrastive", prompts: prompts(3, SIZE, 2), blend: 0.6 },
};

/** One run. */
export function run(
  plan: HeadPlan,
  checkpoint: CheckpointOptions | undefined,
  options: FitOptions = {},
): Promise<FittedHead> {
  return fit(noise(200, 70), range(0, 150), range(150, 200), plan, {
    hidden: 16,
    batchSize: 32,
    learningRate: 5e-3,
    inputDropout: 0.2,
    schedule: "cosine",
    warmUp: 0.1,
    maxEpochs: 14,
    patience: 14,
    ...(checkpoint && { checkpoint }),
    ...options,
  });
}

if (import.meta.main) {
  const [name, path, every] = Deno.args;
  await run(PLANS[name], { path, everyEpochs: Number(every) }, {
    onEpoch: ({ epoch }) => console.log(epoch),
  });
}
