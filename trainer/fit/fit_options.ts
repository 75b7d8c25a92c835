/**
 * How a head is fitted, and the defaults of that.
 */

import type { HeadInput, Prompts } from "@clip-e/shared";
import type { CheckpointOptions } from "./checkpoint.ts";
import type { Device } from "./device.ts";
import type { Schedule } from "./schedule.ts";

/** A classifier of its own. */
export interface CrossEntropyPlan {
  /** Names the kind, as the head does. */
  readonly kind: "cross-entropy";
  /**
   * A softmax over a unit for each label, by default; or, for two labels, the sigmoid of one unit that is the second label's
   * logit, as the published polarity head has it.
   */
  readonly output?: "softmax" | "sigmoid";
}

/** A projection into the prompts' space. */
export interface ContrastivePlan {
  /** Names the kind, as the head does. */
  readonly kind: "contrastive";
  /** Of the labels, in order: K unit vectors. */
  readonly prompts: Prompts;
  /**
   * With it the head is an adapter, which mixes so much of the projection with the embedding and is trained as a classifier
   * over the prompts; above 0 to 1. Without it the head is the published one.
   */
  readonly blend?: number;
  /** Divides cosines in training: by default 0.075 as published, and 0.01, which is CLIP's own, with a blend. */
  readonly temperature?: number;
}

/** Which head. */
export type HeadPlan = CrossEntropyPlan | ContrastivePlan;

/** How a head is fitted. What is left out is as the preset has it. */
export interface FitOptions {
  /** Where the defaults come from: `small` by default. See {@linkcode presetOptions}. */
  readonly preset?: Preset;
  /** Units of the hidden layer. */
  readonly hidden?: number;
  /** Examples in a step, or all where there are fewer. */
  readonly batchSize?: number;
  /** The size of Adam's steps, at their largest. */
  readonly learningRate?: number;
  /** How their size changes. */
  readonly schedule?: Schedule;
  /** The share of all steps over which their size first grows from 0, at least 0 and below 1. */
  readonly warmUp?: number;
  /** Decoupled, on kernels; with 0, AdamW is Adam. */
  readonly weightDecay?: number;
  /** `balanced` lets each label count the same, however many examples it has. */
  readonly classWeights?: "balanced" | "none";
  /** The share of an example that is dealt out to all labels alike, at least 0 and below 1. */
  readonly labelSmoothing?: number;
  /** The share of inputs that a training step does not see, at least 0 and below 1. */
  readonly inputDropout?: number;
  /** Whether inputs are brought to mean 0 and deviation 1 for training; the head is served the same inputs either way. */
  readonly standardize?: boolean;
  /** What the head takes: the embedding (`raw`), or the embedding divided by its length (`unit`). */
  readonly input?: HeadInput;
  /** First weights: Glorot's uniform, or He's normal and, where the loss allows it, an output layer of 0. */
  readonly initial?: "glorot" | "he";
  /** At most so many epochs. */
  readonly maxEpochs?: number;
  /** Stops after so many epochs that are no better than the best. */
  readonly patience?: number;
  /**
   * What makes an epoch better on validation. By default the loss, which says more of few pictures than how many are
   * right; but for the contrastive loss the accuracy, and the loss among equals: its targets move with the head, and it
   * compares the pictures of a batch rather than labels, so that a lower one need not mean a better head.
   */
  readonly stopOn?: "loss" | "accuracy";
  /** Of first weights, order and dropout: a whole number from 0 to 2^32 - 1. */
  readonly seed?: number;
  /** Told of each epoch. */
  readonly onEpoch?: (progress: EpochProgress) => void;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal;
  /** What computes; WebAssembly by default. */
  readonly device?: Device;
  /** Where the work is saved, so that it can go on after it was cut off. */
  readonly checkpoint?: CheckpointOptions;
}

/** What an epoch came to. */
export interface Epoch {
  /** From 1. */
  readonly epoch: number;
  /** Mean over the epoch's steps, with dropout, each before the step was taken. */
  readonly trainLoss: number;
  /** Of the weights after the epoch; for the contrastive loss, mean over whole batches. */
  readonly validationLoss: number;
  /** The share of validation examples whose best label is theirs. */
  readonly validationAccuracy: number;
}

/** An epoch, and how many there may be. */
export interface EpochProgress extends Epoch {
  /** At most so many. */
  readonly maxEpochs: number;
}

/**
 * Sets of defaults: `paper` for data like WEBEmo's, the paper's way; `small` for data of hundreds or thousands of
 * pictures, which would be learnt by heart that way.
 */
export type Preset = "paper" | "small";

/** Options that are all there. */
export type FitSettings = Required<
  Omit<FitOptions, "preset" | "onEpoch" | "signal" | "device" | "checkpoint">
>;

/**
 * The defaults.
 *
 * `paper`: batches of 512 and Adam are the paper's (arXiv 2310.12062). Learning rate and first weights are
 * Keras's, which it was trained with, as far as is known here: 0.001 and Glorot's. When to stop is ours.
 *
 * `small`: two follow the N training examples and the D numbers of an embedding. `inputDropout` is D / (D + N), at most
 * 0.8, which on standardised inputs acts as a ridge that fades as examples come; `batchSize` is the power of two nearest to
 * N / 8, 32 to 512.
 *
 * @param preset which
 * @param plan of the head
 * @param examples N
 * @param size D
 */
export function presetOptions(
  preset: Preset,
  plan: HeadPlan,
  examples: number,
  size: number,
): FitSettings {
  const published = plan.kind === "contrastive" && plan.blend === undefined;
  const common = {
    hidden: 512,
    schedule: "constant",
    warmUp: 0,
    classWeights: "none",
    labelSmoothing: 0,
    input: "raw",
    stopOn: published ? "accuracy" : "loss",
    seed: 0,
  } as const;
  if (preset === "paper") {
    return {
      ...common,
      batchSize: 512,
      learningRate: 1e-3,
      weightDecay: 0,
      inputDropout: 0,
      standardize: false,
      initial: "glorot",
      maxEpochs: 100,
      patience: 10,
    };
  }
  const nearest = 2 ** Math.round(Math.log2(examples / 8));
  return {
    ...common,
    batchSize: Math.min(512, Math.max(32, nearest)),
    learningRate: 3e-4,
    weightDecay: 0.01,
    inputDropout: Math.min(0.8, size / (size + examples)),
    standardize: true,
    initial: "he",
    maxEpochs: 200,
    patience: 20,
  };
}

/**
 * The options, with defaults for what is left out, checked.
 *
 * @param options given
 * @param plan of the head
 * @param examples to learn from
 * @param size of an embedding
 * @throws {RangeError} when one is out of its range, or does not go with the head
 */
export function chooseSettings(
  options: FitOptions,
  plan: HeadPlan,
  examples: number,
  size: number,
): FitSettings {
  const { preset = "small", onEpoch: _, signal: __, device: ___, checkpoint: ____, ...given } =
    options;
  const settings: FitSettings = { ...presetOptions(preset, plan, examples, size), ...given };
  const check = (name: keyof FitSettings, right: boolean, mend: string) => {
    if (right) return;
    throw new RangeError(`Cannot fit a head with ${name} ${settings[name]}: give ${mend}`);
  };
  for (const name of ["hidden", "batchSize", "maxEpochs", "patience"] as const) {
    const value = settings[name];
    check(name, Number.isInteger(value) && value > 0 && value <= 2 ** 20, "1 to 2^20");
  }
  for (const name of ["warmUp", "labelSmoothing", "inputDropout"] as const) {
    check(name, settings[name] >= 0 && settings[name] < 1, "0 to below 1");
  }
  const { learningRate, weightDecay, seed } = settings;
  check("learningRate", learningRate > 0 && learningRate < Infinity, "one above 0");
  check("weightDecay", weightDecay >= 0 && weightDecay < Infinity, "0 or more");
  check("seed", Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, "0 to 2^32 - 1");
  if (plan.kind === "contrastive" && plan.blend === undefined) {
    const why = "0: the contrastive loss compares pictures, and has no targets to smooth";
    check("labelSmoothing", settings.labelSmoothing === 0, why);
    check("classWeights", settings.classWeights === "none", "none: the contrastive loss has none");
  }
  return { ...settings, batchSize: Math.min(settings.batchSize, examples) };
}
