/**
 * Embeddings to a head and its honest figures: split by group, fit, stop early, calibrate, measure on pictures that the
 * head has not seen.
 */

import { type CrossEntropyHead, crossEntropyLogits, softmax } from "@clip-e/shared";
import { fitTemperature } from "./calibration.ts";
import type { EmbeddedDataset } from "./embed_dataset.ts";
import { TrainerError } from "./errors.ts";
import { evaluate, type Evaluation } from "./evaluation.ts";
import { type FitData, fitHead, type FitOptions } from "./fit_head.ts";
import { Random } from "./random.ts";
import { foldsByGroup, splitGroups } from "./split.ts";

/** How to train and measure. */
export interface TrainHeadOptions {
  /** Measure by cross-validation over this many folds; the head is then trained on all pictures. */
  readonly folds?: number;
  /** Without folds, the share of pictures to measure on; the head never sees them. */
  readonly test?: number;
  /** The share of the other pictures that stops the training and calibrates. */
  readonly validation: number;
  /** Of splits and weights. */
  readonly seed: number;
  /** Of each fit. */
  readonly fit: Omit<FitOptions, "seed" | "onEpoch" | "signal">;
  /** Ends the work. */
  readonly signal?: AbortSignal;
  /** Called after each fit. */
  readonly onFit?: () => void;
  /** Told what is going on. */
  readonly onEpoch?: (words: string) => void;
}

/** A head, and how well it does. */
export interface TrainingOutcome {
  /** To be served. */
  readonly head: CrossEntropyHead;
  /** Fitted on the validation part. */
  readonly temperature: number;
  /** The epoch whose weights the head has. */
  readonly bestEpoch: number;
  /** On pictures that the head that scored them had not seen. */
  readonly evaluation: Evaluation;
  /** The evaluation's numbers, for the manifest. */
  readonly figures: Readonly<Record<string, number>>;
  /** How the figures came about, in words. */
  readonly protocol: string;
  /** Per picture, scores `[K]` by a head that had not seen it; `undefined` where there is none. */
  readonly heldOut: readonly (Float64Array | undefined)[];
}

interface Fitted {
  readonly head: CrossEntropyHead;
  readonly temperature: number;
  readonly bestEpoch: number;
}

/**
 * Trains a head and measures it.
 *
 * @param data embeddings with their labels and groups
 * @param labels ids, in the taxonomy's order, K
 * @param options how
 * @throws {TrainerError} when there are too few pictures or groups
 */
export async function trainHead(
  data: EmbeddedDataset,
  labels: readonly string[],
  options: TrainHeadOptions,
): Promise<TrainingOutcome> {
  const { examples, embeddings, size } = data;
  const targets = Int32Array.from(examples, ({ label }) => labels.indexOf(label));
  const fitData: FitData = { embeddings, size, targets, classes: labels.length };
  const all = examples.map((_, i) => i);
  const random = new Random(options.seed);
  const heldOut: (Float64Array | undefined)[] = examples.map(() => undefined);

  /** Fits a head on some pictures, less those that stop it. */
  const fit = async (name: string, pictures: readonly number[], seed: number): Promise<Fitted> => {
    const { validation, signal, onEpoch } = options;
    const [train, stopping] = split(examples, pictures, [1 - validation, validation], random);
    const { head, bestEpoch } = await fitHead(fitData, train, stopping, {
      ...options.fit,
      seed,
      ...(signal && { signal }),
      onEpoch: ({ epoch, validationLoss }) =>
        onEpoch?.(`${name}, epoch ${epoch}, validation loss ${validationLoss.toFixed(4)}`),
    });
    options.onFit?.();
    const logits = stopping.map((i) => crossEntropyLogits(head, row(data, i)));
    const temperature = fitTemperature(logits, Int32Array.from(stopping, (i) => targets[i]));
    return { head, bestEpoch, temperature };
  };
  const measure = ({ head, temperature }: Fitted, pictures: readonly number[]) => {
    for (const i of pictures) heldOut[i] = scorePicture(head, temperature, row(data, i));
  };

  let served: Fitted;
  let protocol: string;
  if (options.folds !== undefined) {
    const folds = partition(() => foldsByGroup(examples, options.folds ?? 2, random));
    for (const [k, fold] of folds.entries()) {
      const others = all.filter((i) => !fold.includes(i));
      measure(await fit(`fold ${k + 1} of ${folds.length}`, others, options.seed + k + 1), fold);
    }
    served = await fit("all pictures", all, options.seed);
    protocol = `${folds.length}-fold cross-validation`;
  } else {
    const share = options.test ?? 0.2;
    const [rest, test] = split(examples, all, [1 - share, share], random);
    served = await fit("head", rest, options.seed);
    measure(served, test);
    protocol = `a test split of ${test.length} pictures`;
  }

  const measured = all.filter((i) => heldOut[i] !== undefined);
  const evaluation = evaluate(
    measured.flatMap((i) => heldOut[i] ?? []),
    Int32Array.from(measured, (i) => targets[i]),
    labels.length,
  );
  const { confusion: _, ...numbers } = evaluation;
  return { ...served, evaluation, figures: numbers, protocol, heldOut };
}

/**
 * Scores one picture.
 *
 * @param head of the taxonomy
 * @param temperature divides the logits
 * @param embedding `[D]`
 * @returns `[K]`
 */
export function scorePicture(
  head: CrossEntropyHead,
  temperature: number,
  embedding: Float32Array,
): Float64Array {
  return softmax(crossEntropyLogits(head, embedding), temperature);
}

function row({ embeddings, size }: EmbeddedDataset, i: number): Float32Array {
  return embeddings.subarray(i * size, (i + 1) * size);
}

/** Splits some of the pictures in two, groups kept whole. */
function split(
  examples: EmbeddedDataset["examples"],
  pictures: readonly number[],
  shares: readonly [number, number],
  random: Random,
): [number[], number[]] {
  const chosen = pictures.map((i) => examples[i]);
  const [first, second] = partition(() => splitGroups(chosen, shares, random));
  return [first.map((i) => pictures[i]), second.map((i) => pictures[i])];
}

/** Says in the user's words what a split that cannot be made says in its own. */
function partition(make: () => number[][]): number[][] {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TrainerError(`Cannot split the pictures: ${cause.message}`, { cause });
  }
}
