/**
 * Embeddings to a head and its honest figures: split by group, fit, stop early, calibrate, measure on pictures that the
 * head has not seen.
 */

import { type CrossEntropyHead, crossEntropyLogits, softmax } from "@clip-e/shared";
import { averageHeads } from "./average_heads.ts";
import { fitTemperature } from "./calibration.ts";
import type { EmbeddedDataset } from "./embed_dataset.ts";
import { TrainerError } from "./errors.ts";
import { evaluate, type Evaluation } from "./evaluation.ts";
import { type FitData, fitHead, type FitOptions, type FittedHead } from "./fit_head.ts";
import { Random } from "./random.ts";
import { foldsByGroup, splitGroups } from "./split.ts";

/** How to train and measure. */
export interface TrainHeadOptions {
  /** Measure by cross-validation over this many folds; the head is then trained on all pictures. */
  readonly folds?: number;
  /** Without folds, the share of pictures to measure on; the head never sees them. */
  readonly test?: number;
  /**
   * How many heads to train and average, 2 or more. Each leaves out another part of the pictures, which stops its
   * training; together these parts are all pictures, and calibrate the average.
   */
  readonly members: number;
  /** Of splits and weights. */
  readonly seed: number;
  /** Hidden units of the average. */
  readonly hidden: number;
  /** Of each member's fit. */
  readonly fit: Omit<FitOptions, "hidden" | "seed" | "onEpoch" | "signal">;
  /** Ends the work. */
  readonly signal?: AbortSignal;
  /** Called after each member's fit; there are `members` of them for each fold, and `members` for the head. */
  readonly onFit?: () => void;
  /** Told what is going on. */
  readonly onEpoch?: (words: string) => void;
}

/** A head, and how well it does. */
export interface TrainingOutcome {
  /** To be served. */
  readonly head: CrossEntropyHead;
  /** Fitted on what each member says of the pictures that it was not trained on. */
  readonly temperature: number;
  /** The epoch whose weights each member has. */
  readonly bestEpochs: readonly number[];
  /** On pictures that the head that scored them had not seen. */
  readonly evaluation: Evaluation;
  /** The evaluation's numbers, for the manifest. */
  readonly figures: Readonly<Record<string, number>>;
  /** How the figures came about, in words. */
  readonly protocol: string;
  /** Per picture, scores `[K]` by a head that had not seen it; `undefined` where there is none. */
  readonly heldOut: readonly (Float64Array | undefined)[];
}

/** Numbers in a WebAssembly vector: with another multiple of units jax-js is four times slower. */
const LANES = 4;

type Fitted = Pick<TrainingOutcome, "head" | "temperature" | "bestEpochs">;

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

  /** Fits a committee on some pictures, and averages it. */
  const fit = async (name: string, pictures: readonly number[], seed: number): Promise<Fitted> => {
    const { members, hidden, signal, onEpoch } = options;
    const parts = partition(examples, pictures, (some) => foldsByGroup(some, members, random));
    const fitted: FittedHead[] = [];
    const logits: Float64Array[] = [];
    for (const [m, part] of parts.entries()) {
      const member = await fitHead(fitData, without(pictures, part), part, {
        ...options.fit,
        hidden: LANES * Math.ceil(hidden / members / LANES),
        seed: seed * members + m,
        ...(signal && { signal }),
        onEpoch: ({ epoch, validationLoss }) =>
          onEpoch?.(`${name}, epoch ${epoch}, validation loss ${validationLoss.toFixed(4)}`),
      });
      options.onFit?.();
      fitted.push(member);
      for (const i of part) logits.push(crossEntropyLogits(member.head, row(data, i)));
    }
    return {
      head: averageHeads(fitted.map(({ head }) => head)),
      bestEpochs: fitted.map(({ bestEpoch }) => bestEpoch),
      temperature: fitTemperature(logits, parts.flat().map((i) => targets[i])),
    };
  };
  const measure = ({ head, temperature }: Fitted, pictures: readonly number[]) => {
    for (const i of pictures) heldOut[i] = scorePicture(head, temperature, row(data, i));
  };

  let served: Fitted;
  let protocol: string;
  if (options.folds !== undefined) {
    const count = options.folds;
    const folds = partition(examples, all, (some) => foldsByGroup(some, count, random));
    for (const [k, fold] of folds.entries()) {
      const name = `fold ${k + 1} of ${folds.length}`;
      measure(await fit(name, without(all, fold), options.seed + k + 1), fold);
    }
    served = await fit("all pictures", all, options.seed);
    protocol = `${folds.length}-fold cross-validation`;
  } else {
    const share = options.test ?? 0.2;
    const shares = [1 - share, share];
    const [rest, test] = partition(examples, all, (some) => splitGroups(some, shares, random));
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

function without(pictures: readonly number[], part: readonly number[]): number[] {
  const left = new Set(part);
  return pictures.filter((i) => !left.has(i));
}

/** Parts some of the pictures; says in the user's words what cannot be parted. */
function partition(
  examples: EmbeddedDataset["examples"],
  pictures: readonly number[],
  part: (some: EmbeddedDataset["examples"]) => number[][],
): number[][] {
  try {
    return part(pictures.map((i) => examples[i])).map((some) => some.map((i) => pictures[i]));
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TrainerError(`Cannot split the pictures: ${cause.message}`, { cause });
  }
}
