/**
 * Embeddings and labels to a cross-entropy head: AdamW on the weighted cross entropy, stopped early on
 * validation. Runs on jax-js's WASM device and in this thread alone: reading a step's loss at once runs the
 * step here, where an asynchronous read would start workers that nothing can stop. So the process ends by
 * itself, and the same seed on the same machine gives the same bits.
 */

import { jit, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import type { CrossEntropyHead, Dense } from "@clip-e/shared";
import { adamW, applyUpdates, type Arrays } from "./adam.ts";
import {
  type Batch,
  crossEntropyLoss,
  type CrossEntropyParams,
  type DenseParams,
} from "./cross_entropy_loss.ts";
import { breather } from "./breather.ts";
import { TrainerError } from "./errors.ts";
import { Random } from "./random.ts";
import {
  fitStandardizer,
  foldStandardizer,
  type Standardizer,
  standardizeRow,
} from "./standardize.ts";

/** What a head is fitted to. */
export interface FitData {
  /** `[N, D]`, row-major, unnormalised as the head will be served them. */
  readonly embeddings: Float32Array;
  /** D. */
  readonly size: number;
  /** `[N]`: each example's label, a whole number below `classes`. */
  readonly targets: Int32Array;
  /** K, 2 or more. */
  readonly classes: number;
}

/** How a head is fitted. The defaults follow the size of the data: see {@linkcode fitHead}. */
export interface FitOptions {
  /** Units of the hidden layer; 512 by default. */
  readonly hidden?: number;
  /** The size of Adam's steps; 3e-4 by default. */
  readonly learningRate?: number;
  /** Decoupled, on kernels; 0.01 by default. */
  readonly weightDecay?: number;
  /** Examples in a step. */
  readonly batchSize?: number;
  /** The share of inputs that a training step does not see, at least 0 and below 1. */
  readonly inputDropout?: number;
  /** At most so many epochs; 200 by default. */
  readonly maxEpochs?: number;
  /** Stops after so many epochs without a better validation loss; 20 by default. */
  readonly patience?: number;
  /** `balanced` lets each label count the same, however many examples it has; `none` by default. */
  readonly classWeights?: "balanced" | "none";
  /** Of first weights, order and dropout; 0 by default. */
  readonly seed?: number;
  /** Told of each epoch. */
  readonly onEpoch?: (progress: EpochProgress) => void;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** What an epoch came to. */
export interface Epoch {
  /** From 1. */
  readonly epoch: number;
  /** Mean over the epoch's steps, with dropout, each before the step was taken. */
  readonly trainLoss: number;
  /** Of the weights after the epoch. */
  readonly validationLoss: number;
}

/** An epoch, and how many there may be. */
export interface EpochProgress extends Epoch {
  /** At most so many. */
  readonly maxEpochs: number;
}

/** What fitting gives. */
export interface FittedHead {
  /** Takes the raw embedding. Its scores are not calibrated yet. */
  readonly head: CrossEntropyHead;
  /** Every epoch, in order. */
  readonly history: readonly Epoch[];
  /** The epoch whose weights the head has. */
  readonly bestEpoch: number;
}

/**
 * Fits a cross-entropy head and keeps the weights of the epoch with the lowest validation loss.
 *
 * Two defaults follow the N training examples and the D numbers of an embedding, so that small data is not
 * learnt by heart: `inputDropout` is D / (D + N), at most 0.8, which on standardised inputs acts as a ridge
 * that fades as examples come; `batchSize` is the power of two nearest to N / 8, 32 to 512. An epoch leaves out
 * the examples that do not fill a last batch, others each time. The output layer starts at 0, without an
 * opinion.
 *
 * @param data embeddings and labels
 * @param train indices of the examples to learn from
 * @param validation indices of the examples that stop the training
 * @param options how
 * @throws {RangeError} when an argument is out of its range
 * @throws {TrainerError} when an embedding or a loss is not a finite number
 */
export async function fitHead(
  data: FitData,
  train: readonly number[],
  validation: readonly number[],
  options: FitOptions = {},
): Promise<FittedHead> {
  checkData(data, train, validation);
  const settings = chooseSettings(options, train.length, data.size);
  const { batchSize, inputDropout, maxEpochs, patience } = settings;
  const random = new Random(settings.seed);
  const source: BatchSource = {
    ...data,
    standardizer: fitStandardizer(data.embeddings, data.size, train),
    labelWeights: labelWeights(data, train, settings.classWeights),
  };
  const optimizer = adamW<CrossEntropyParams>(settings.learningRate, settings.weightDecay);
  const step = jit((params: CrossEntropyParams, state: Arrays, batch: Batch) => {
    const [loss, gradients] = valueAndGrad(crossEntropyLoss)(tree.ref(params), batch);
    const [updates, next] = optimizer.update(gradients, state, params);
    return [applyUpdates(params, updates), next, loss] as [CrossEntropyParams, Arrays, np.Array];
  });
  const meanLoss = jit(crossEntropyLoss);
  const breathe = breather(options.signal);

  let params = firstParams(data, settings.hidden, random);
  let state = optimizer.init(params);
  let best = { params: tree.ref(params), loss: Infinity, epoch: 0 };
  const history: Epoch[] = [];
  try {
    for (let epoch = 1; epoch <= maxEpochs && epoch - best.epoch <= patience; epoch++) {
      let trainLoss = 0;
      const batches = wholeBatches(random.shuffled(train), batchSize);
      for (const rows of batches) {
        await breathe();
        const batch = toBatch(source, rows, batchSize, { share: inputDropout, random });
        let loss: np.Array;
        [params, state, loss] = step(params, state, batch);
        trainLoss += finite(loss.item(), epoch, settings) / batches.length;
      }
      let validationLoss = 0;
      const rowsAtOnce = Math.min(VALIDATION_ROWS, validation.length);
      for (let i = 0; i < validation.length; i += rowsAtOnce) {
        await breathe();
        const batch = toBatch(source, validation.slice(i, i + rowsAtOnce), rowsAtOnce);
        const loss = finite(meanLoss(tree.ref(params), batch).item(), epoch, settings);
        validationLoss += loss * rowsAtOnce / validation.length;
      }
      if (validationLoss < best.loss) {
        tree.dispose(best.params);
        best = { params: tree.ref(params), loss: validationLoss, epoch };
      }
      history.push({ epoch, trainLoss, validationLoss });
      options.onEpoch?.({ epoch, maxEpochs, trainLoss, validationLoss });
    }
    return { head: toHead(best.params, source.standardizer), history, bestEpoch: best.epoch };
  } finally {
    tree.dispose([params, state, best.params]);
    step.dispose();
    meanLoss.dispose();
  }
}

/** Rows of a validation batch: few enough to be small in memory, enough to be fast. */
const VALIDATION_ROWS = 2048;

type Settings = Required<Omit<FitOptions, "onEpoch" | "signal">>;

/** The options, with the defaults that follow from the data's size. */
function chooseSettings(options: FitOptions, examples: number, size: number): Settings {
  const nearest = 2 ** Math.round(Math.log2(examples / 8));
  const settings: Settings = {
    hidden: 512,
    learningRate: 3e-4,
    weightDecay: 0.01,
    batchSize: Math.min(512, Math.max(32, nearest)),
    inputDropout: Math.min(0.8, size / (size + examples)),
    maxEpochs: 200,
    patience: 20,
    classWeights: "none",
    seed: 0,
    ...options,
  };
  for (const name of ["hidden", "batchSize", "maxEpochs", "patience"] as const) {
    if (Number.isInteger(settings[name]) && settings[name] > 0) continue;
    throw new RangeError(`Cannot fit a head with ${name} ${settings[name]}: give 1 or more`);
  }
  const { learningRate, weightDecay, inputDropout } = settings;
  if (!(learningRate > 0 && learningRate < Infinity)) {
    throw new RangeError(`Cannot fit a head with learningRate ${learningRate}: give one above 0`);
  }
  if (!(weightDecay >= 0 && weightDecay < Infinity)) {
    throw new RangeError(`Cannot fit a head with weightDecay ${weightDecay}: give 0 or more`);
  }
  if (!(inputDropout >= 0 && inputDropout < 1)) {
    throw new RangeError(`Cannot fit a head with inputDropout ${inputDropout}: give 0 to below 1`);
  }
  return { ...settings, batchSize: Math.min(settings.batchSize, examples) };
}

function checkData(data: FitData, train: readonly number[], validation: readonly number[]): void {
  const { embeddings, size, targets, classes } = data;
  if (embeddings.length !== targets.length * size) {
    throw new RangeError(
      `Cannot fit a head: ${targets.length} examples of ${size} numbers do not make ` +
        `${embeddings.length} numbers`,
    );
  }
  if (!(classes >= 2)) {
    throw new RangeError(`Cannot fit a head to ${classes} labels: give 2 or more`);
  }
  for (const [part, rows] of Object.entries({ train, validation })) {
    if (rows.length === 0) throw new RangeError(`Cannot fit a head: no example is for ${part}`);
    for (const row of rows) {
      const target = targets[row];
      if (target === undefined) {
        throw new RangeError(`Cannot fit a head: example ${row} of ${part} does not exist`);
      }
      if (target < 0 || target >= classes) {
        throw new RangeError(
          `Cannot fit a head to ${classes} labels: example ${row} has label ${target}`,
        );
      }
      const stray = embeddings.subarray(row * size, (row + 1) * size)
        .findIndex((x) => !Number.isFinite(x));
      if (stray !== -1) {
        throw new TrainerError(
          `Cannot fit a head to the embedding of example ${row}: its number ${stray} is ` +
            `${embeddings[row * size + stray]}. Check the encoder, or leave the picture out`,
        );
      }
    }
  }
}

/** Per label, how much an example of it counts, `[K]`; 1 on average over the training examples. */
function labelWeights(
  { targets, classes }: FitData,
  train: readonly number[],
  kind: "balanced" | "none",
): Float64Array {
  if (kind === "none") return new Float64Array(classes).fill(1);
  const counts = new Float64Array(classes);
  for (const row of train) counts[targets[row]]++;
  const present = counts.filter((count) => count > 0).length;
  return counts.map((count) => count > 0 ? train.length / (present * count) : 0);
}

/** He's normal first layer, and an output layer of zeros, at which every label scores the same. */
function firstParams(
  { size, classes }: FitData,
  hidden: number,
  random: Random,
): CrossEntropyParams {
  const deviation = Math.sqrt(2 / size);
  const kernel = Float32Array.from({ length: size * hidden }, () => random.normal() * deviation);
  return {
    img_fc1: { kernel: np.array(kernel, { shape: [size, hidden] }), bias: np.zeros([hidden]) },
    preds: { kernel: np.zeros([hidden, classes]), bias: np.zeros([classes]) },
  };
}

/** All whole batches; the examples that do not fill one are left out. */
function wholeBatches(rows: number[], batchSize: number): number[][] {
  const count = Math.floor(rows.length / batchSize);
  return Array.from({ length: count }, (_, i) => rows.slice(i * batchSize, (i + 1) * batchSize));
}

/** What batches are taken from. */
interface BatchSource extends FitData {
  readonly standardizer: Standardizer;
  readonly labelWeights: Float64Array;
}

/**
 * Puts examples on the device, standardised.
 *
 * @param source of the examples
 * @param rows which
 * @param batchSize B; a batch of another size would be compiled anew, so rows that count nothing fill it up
 * @param dropout the share of inputs to set to 0, the others growing to make up for it
 */
function toBatch(
  { embeddings, size, targets, standardizer, labelWeights }: BatchSource,
  rows: readonly number[],
  batchSize: number,
  dropout?: { readonly share: number; readonly random: Random },
): Batch {
  const x = new Float32Array(batchSize * size);
  const labels = new Int32Array(batchSize);
  const weights = new Float32Array(batchSize);
  for (const [i, row] of rows.entries()) {
    standardizeRow(standardizer, embeddings, row, x, i * size);
    labels[i] = targets[row];
    weights[i] = labelWeights[targets[row]];
  }
  if (dropout && dropout.share > 0) {
    const { share, random } = dropout;
    const growth = 1 / (1 - share);
    for (let i = 0; i < x.length; i++) x[i] = random.next() < share ? 0 : x[i] * growth;
  }
  return {
    x: np.array(x, { shape: [batchSize, size] }),
    targets: np.array(labels),
    weights: np.array(weights),
  };
}

function finite(loss: number, epoch: number, { learningRate }: Settings): number {
  if (Number.isFinite(loss)) return loss;
  throw new TrainerError(
    `Cannot fit the head: the loss became ${loss} in epoch ${epoch}, at learning rate ` +
      `${learningRate}. Give a lower one`,
  );
}

/** Reads the weights, which stay, and lets the first layer take raw embeddings. */
function toHead(params: CrossEntropyParams, standardizer: Standardizer): CrossEntropyHead {
  const read = ({ kernel, bias }: DenseParams): Dense => {
    const [inputs, units] = kernel.shape;
    return { inputs, units, kernel: toFloats(kernel), bias: toFloats(bias) };
  };
  return {
    kind: "cross-entropy",
    img_fc1: foldStandardizer(standardizer, read(params.img_fc1)),
    preds: read(params.preds),
  };
}

function toFloats(array: np.Array): Float32Array {
  return Float32Array.from(array.ref.dataSync());
}
