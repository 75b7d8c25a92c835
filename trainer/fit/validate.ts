/**
 * How good a head is on examples that it does not learn from.
 */

import { tree } from "@jax-js/jax";
import type { BatchSource } from "./batch.ts";
import type { Device } from "./device.ts";
import type { Epoch } from "./fit_options.ts";
import { notFinite } from "./learner.ts";
import type { HeadParams, Objective } from "./objective.ts";

/** What to validate on. */
export interface ValidationOptions {
  /** Of the head. */
  readonly objective: Objective;
  /** Examples. */
  readonly source: BatchSource;
  /** Which of them. */
  readonly rows: readonly number[];
  /** What computes. */
  readonly device: Device;
  /** Called between pieces of work. */
  readonly breathe: () => Promise<void>;
}

/**
 * Measures the loss and the accuracy.
 *
 * @param params weights; not consumed
 * @param options what to validate on
 * @throws {TrainerError} when the loss is not a finite number
 * @returns the loss, a mean over the examples, or over whole batches if it needs such; the accuracy, over all examples
 */
export async function validate(
  params: HeadParams,
  { objective, source, rows, device, breathe }: ValidationOptions,
): Promise<Pick<Epoch, "validationLoss" | "validationAccuracy">> {
  const { batchSize } = source;
  let [loss, count, right] = [0, 0, 0];
  for (let at = 0; at < rows.length; at += batchSize) {
    await breathe();
    const some = rows.slice(at, at + batchSize);
    const logits = await device.read(objective.logits(tree.ref(params), source.take(some)));
    const columns = logits.length / batchSize;
    for (const [i, row] of some.entries()) {
      const scores = logits.subarray(i * columns, (i + 1) * columns);
      const { target, weight } = source.label(row);
      if (best(scores) === best(target)) right++;
      if (!objective.batchLoss) loss += weight * crossEntropy(scores, target);
    }
    if (!objective.batchLoss) {
      count += some.length;
    } else if (some.length === batchSize) {
      const mean = await device.read(objective.batchLoss(tree.ref(params), source.take(some)));
      loss += mean[0] * some.length;
      count += some.length;
    }
  }
  const validationLoss = loss / count;
  if (!Number.isFinite(validationLoss)) throw notFinite(validationLoss);
  return { validationLoss, validationAccuracy: right / rows.length };
}

function best(scores: Float32Array): number {
  let at = 0;
  for (let c = 1; c < scores.length; c++) if (scores[c] > scores[at]) at = c;
  return at;
}

/** `-Σ_c target_c log softmax(logits)_c`, in double precision. */
function crossEntropy(logits: Float32Array, target: Float32Array): number {
  const largest = logits[best(logits)];
  let [total, score] = [0, 0];
  for (let c = 0; c < logits.length; c++) {
    total += Math.exp(logits[c] - largest);
    if (target[c] > 0) score += target[c] * (logits[c] - largest);
  }
  let mass = 0;
  for (const share of target) mass += share;
  return mass * Math.log(total) - score;
}
