/**
 * From what is asked for to the loss that gives it.
 */

import { adapterObjective } from "./adapter_loss.ts";
import { contrastiveObjective } from "./contrastive_loss.ts";
import { crossEntropyObjective } from "./cross_entropy_loss.ts";
import type { FitData } from "./fit_data.ts";
import type { FitSettings, HeadPlan } from "./fit_options.ts";
import type { Objective } from "./objective.ts";

/** CLIP-E's, in training (arXiv 2310.12062). */
const CONTRASTIVE_TEMPERATURE = 0.075;
/** CLIP's logit scale, which ends at 100. */
const ADAPTER_TEMPERATURE = 0.01;

/**
 * Makes the objective of a head.
 *
 * @param plan which head
 * @param settings how
 * @param data what it is fitted to
 * @throws {RangeError} when the head does not fit the data
 */
export function planObjective(
  plan: HeadPlan,
  { hidden, labelSmoothing, initial }: FitSettings,
  { size, classes }: FitData,
): Objective {
  const common = { size, hidden, labelSmoothing, initial };
  if (plan.kind === "cross-entropy") {
    const { output = "softmax" } = plan;
    if (output === "sigmoid" && classes !== 2) {
      throw new RangeError(`Cannot tell ${classes} labels apart with one sigmoid: give softmax`);
    }
    return crossEntropyObjective({ ...common, classes, output });
  }
  const { prompts, blend } = plan;
  const { temperature = blend === undefined ? CONTRASTIVE_TEMPERATURE : ADAPTER_TEMPERATURE } =
    plan;
  if (prompts.count !== classes) {
    throw new RangeError(`Cannot fit a head to ${classes} labels with ${prompts.count} prompts`);
  }
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`Cannot fit a head at temperature ${temperature}: give one above 0`);
  }
  if (blend === undefined) return contrastiveObjective({ ...common, prompts, temperature });
  if (!(blend > 0 && blend <= 1)) {
    throw new RangeError(`Cannot fit an adapter with blend ${blend}: give one above 0, to 1`);
  }
  if (prompts.size !== size) {
    throw new RangeError(
      `Cannot blend embeddings of ${size} numbers with projections of ${prompts.size}`,
    );
  }
  return adapterObjective({ ...common, prompts, blend, temperature });
}
