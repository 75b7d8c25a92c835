/**
 * Embeddings and labels to a head: Adam on its loss, stopped early on validation. One loop serves every head; what differs
 * between them is their objective.
 *
 * On WebAssembly all of it happens in this thread, so the process ends by itself, and the same seed on the same machine
 * gives the same bits. Each epoch draws from a generator of its own, seeded by the run's seed and its number: what an epoch
 * does depends on nothing but that and the weights and averages that it starts with.
 */

import type { ContrastiveHead, CrossEntropyHead, Head } from "@clip-e/shared";
import { defaultDevice } from "@jax-js/jax";
import { breather } from "../breather.ts";
import { TrainerError } from "../errors.ts";
import { Random } from "../random.ts";
import { BatchSource } from "./batch.ts";
import { type CheckpointOptions, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { type Device, WASM } from "./device.ts";
import { fingerprint } from "./fingerprint.ts";
import { checkData, type FitData, labelWeights } from "./fit_data.ts";
import {
  chooseSettings,
  type ContrastivePlan,
  type CrossEntropyPlan,
  type Epoch,
  type FitOptions,
  type FitSettings,
  type HeadPlan,
} from "./fit_options.ts";
import { Inputs } from "./inputs.ts";
import { Learner } from "./learner.ts";
import { planObjective } from "./plan_objective.ts";
import { learningRateAt } from "./schedule.ts";
import { validate } from "./validate.ts";

/** What fitting gives. */
export interface FittedHead<H extends Head = Head> {
  /** Takes the embedding, raw or divided by its length as it says. Its scores are not calibrated yet. */
  readonly head: H;
  /** Every epoch, in order. */
  readonly history: readonly Epoch[];
  /** The epoch whose weights the head has. */
  readonly bestEpoch: number;
}

/** Rows of a validation batch: few enough to be small in memory, enough to be fast. */
const VALIDATION_ROWS = 2048;

/**
 * Fits a head and keeps the weights of the epoch that was best on validation.
 *
 * An epoch leaves out the examples that do not fill a last batch, others each time. With a checkpoint, a run that was cut
 * off goes on after the last epoch that was saved, and ends with the same bits as if it had not been.
 *
 * @param data embeddings and labels
 * @param train indices of the examples to learn from
 * @param validation indices of the examples that stop the training
 * @param plan which head
 * @param options how
 * @throws {RangeError} when an argument is out of its range
 * @throws {TrainerError} when an embedding or a loss is not a finite number, when the device fails, or when the checkpoint
 * is of another run
 */
export function fit(
  data: FitData,
  train: readonly number[],
  validation: readonly number[],
  plan: CrossEntropyPlan,
  options?: FitOptions,
): Promise<FittedHead<CrossEntropyHead>>;
/** Fits a contrastive head, or an adapter. */
export function fit(
  data: FitData,
  train: readonly number[],
  validation: readonly number[],
  plan: ContrastivePlan,
  options?: FitOptions,
): Promise<FittedHead<ContrastiveHead>>;
/** Fits the head that the plan names. */
export function fit(
  data: FitData,
  train: readonly number[],
  validation: readonly number[],
  plan: HeadPlan,
  options?: FitOptions,
): Promise<FittedHead>;
export async function fit(
  data: FitData,
  train: readonly number[],
  validation: readonly number[],
  plan: HeadPlan,
  options: FitOptions = {},
): Promise<FittedHead> {
  checkData(data, train, validation);
  const { signal, onEpoch, checkpoint, device = WASM } = options;
  const settings = chooseSettings(options, plan, train.length, data.size);
  const { batchSize, maxEpochs, patience, seed } = settings;
  checkDevice(device, settings, data);
  if (checkpoint) checkInterval(checkpoint);
  const inputs = new Inputs({
    ...data,
    input: settings.input,
    standardizeBy: settings.standardize ? train : undefined,
  });
  const run = checkpoint && {
    ...checkpoint,
    fingerprint: fingerprint({ data, train, validation, plan, settings, device: device.name }),
  };
  const saved = run && await loadCheckpoint(run.path, run.fingerprint);
  const breathe = breather(signal);

  const objective = planObjective(plan, settings, data);
  const learner = new Learner(objective, device, settings.weightDecay, epochRandom(seed, 0));
  const weights = labelWeights(data, train, settings.classWeights);
  const sourceOf = (rows: number) =>
    new BatchSource({ ...data, inputs, batchSize: rows, weights, objective });
  const source = sourceOf(batchSize);
  const most = objective.batchLoss ? batchSize : VALIDATION_ROWS;
  const held = { source: sourceOf(Math.min(most, validation.length)), rows: validation };
  const steps = Math.floor(train.length / batchSize);

  /** Takes an epoch's steps, and gives their mean loss. */
  const learn = async (epoch: number): Promise<number> => {
    const random = epochRandom(seed, epoch);
    const order = random.shuffled(train);
    const dropout = { share: settings.inputDropout, random };
    for (let i = 0; i < steps; i++) {
      await breathe();
      const at = (epoch - 1) * steps + i;
      const rate = learningRateAt(at, { ...settings, steps: maxEpochs * steps });
      const rows = order.slice(i * batchSize, (i + 1) * batchSize);
      await learner.step(source.take(rows, dropout), rate);
    }
    return await learner.meanLoss();
  };

  try {
    if (saved) learner.restore(saved.tensors);
    const history = [...saved?.history ?? []];
    let best = history.find(({ epoch }) => epoch === saved?.bestEpoch);
    const isOver = (epoch: number) => epoch >= maxEpochs || epoch - (best?.epoch ?? 0) >= patience;
    let savedAt = performance.now();
    for (let epoch = history.length; !isOver(epoch);) {
      epoch++;
      const trainLoss = await learn(epoch);
      const measured = await validate(learner.weights, { objective, ...held, device, breathe });
      const figures: Epoch = { epoch, trainLoss, ...measured };
      if (!best || isBetter(figures, best, settings)) {
        learner.keep();
        best = figures;
      }
      history.push(figures);
      if (run && (isOver(epoch) || isDue(run, epoch, savedAt))) {
        const tensors = await learner.save();
        const { epoch: bestEpoch } = best;
        await saveCheckpoint(run.path, run.fingerprint, { history, bestEpoch, tensors });
        savedAt = performance.now();
      }
      onEpoch?.({ ...figures, maxEpochs });
    }
    const { img_fc1, ...layers } = await learner.bestLayers();
    const head = objective.toHead({ ...layers, img_fc1: inputs.fold(img_fc1) }, settings.input);
    return { head, history, bestEpoch: best?.epoch ?? 0 };
  } finally {
    learner.dispose();
    objective.dispose();
  }
}

/** An epoch's own chance; epoch 0 is before the first. */
function epochRandom(seed: number, epoch: number): Random {
  return new Random(epoch * 2 ** 32 + seed);
}

function isBetter(epoch: Epoch, best: Epoch, { stopOn }: FitSettings): boolean {
  const less = epoch.validationLoss < best.validationLoss;
  if (stopOn === "loss") return less;
  const gain = epoch.validationAccuracy - best.validationAccuracy;
  return gain > 0 || (gain === 0 && less);
}

function checkInterval({ everyEpochs = 1 }: CheckpointOptions): void {
  if (Number.isInteger(everyEpochs) && everyEpochs > 0) return;
  throw new RangeError(`Cannot save a checkpoint every ${everyEpochs} epochs: give 1 or more`);
}

/** Whether the work is to be saved after an epoch. */
function isDue(
  { everyEpochs = 1, everySeconds = 0 }: CheckpointOptions,
  epoch: number,
  savedAt: number,
): boolean {
  return epoch % everyEpochs === 0 && performance.now() - savedAt >= 1000 * everySeconds;
}

/** jax-js computes on its default device, and a GPU makes zeros of an array that is too large for it. */
function checkDevice(device: Device, { batchSize, hidden }: FitSettings, { size }: FitData): void {
  if (defaultDevice() !== device.name) {
    throw new TrainerError(
      `Cannot train on ${device.description}: ${defaultDevice()} was opened after it. Open it again`,
    );
  }
  const bytes = 4 * Math.max(batchSize, VALIDATION_ROWS, size) * Math.max(size, hidden, batchSize);
  if (bytes > device.maxBytes) {
    throw new TrainerError(
      `Cannot train on ${device.description}: it holds arrays of ${device.maxBytes} bytes, and ` +
        `this would make one of ${bytes}. Give a smaller batch size`,
    );
  }
}
