/**
 * What an experiment came to: the tables of a training run or of an evaluation, as data. Reports are written from it, and
 * nothing but it.
 */

import type { Evaluation } from "./evaluate.ts";
import type { Epoch } from "../fit/fit_options.ts";

/** Where a figure lies, by resampling the pictures. */
export interface Interval {
  /** The 2.5th percentile. */
  readonly low: number;
  /** The 97.5th. */
  readonly high: number;
}

/** Pictures of like confidence: how sure a method was of them, and how often it was right. */
export interface ReliabilityBin {
  /** How many. */
  readonly count: number;
  /** Their mean top score; 0 without pictures. */
  readonly confidence: number;
  /** The share whose top score is their label; 0 without pictures. */
  readonly accuracy: number;
}

/** One method, measured on one data set with one taxonomy. */
export interface Measurement {
  /** The method's row in every table, such as `cross-entropy` or `cross-entropy, unit input`. */
  readonly row: string;
  /** Of each seed, in order; one where nothing is drawn at random. */
  readonly evaluations: readonly Evaluation[];
  /** Of the first seed's figures, by their names in {@linkcode Evaluation}. */
  readonly intervals: Readonly<Record<string, Interval>>;
  /** Of the first seed, by rising confidence. */
  readonly reliability: readonly ReliabilityBin[];
  /** On validation pictures, which decides what is served; absent where nothing was held back for that. */
  readonly validationAccuracy?: number;
}

/** Two methods on the same pictures. */
export interface Comparison {
  /** One method's row. */
  readonly first: string;
  /** The other's. */
  readonly second: string;
  /** Pictures that only the first has right. */
  readonly onlyFirst: number;
  /** Pictures that only the second has right. */
  readonly onlySecond: number;
  /** McNemar's exact p, two-sided: how likely so uneven a split is, were both equally good. */
  readonly p: number;
}

/** A picture that the served method was sure of, and wrong about. */
export interface Mistake {
  /** The picture's name in its data set. */
  readonly name: string;
  /** What raters said. */
  readonly label: string;
  /** What the method said. */
  readonly predicted: string;
  /** Its score for that. */
  readonly score: number;
  /** A small JPEG, as a `data:` address; absent where the picture could not be read again. */
  readonly thumbnail?: string;
}

/** One taxonomy on one data set: a block of rows. */
export interface TaskResult {
  /** The taxonomy's id. */
  readonly taxonomy: string;
  /** Its labels' ids, in order. */
  readonly labels: readonly string[];
  /** The data set's name. */
  readonly dataset: string;
  /** How the pictures were chosen, in words: `its test split, 53,586 pictures`. */
  readonly protocol: string;
  /** In the order of tables. */
  readonly measurements: readonly Measurement[];
  /** Between the first seeds of methods. */
  readonly comparisons: readonly Comparison[];
  /** The row of the method that serves by default. */
  readonly served?: string;
  /** Of the served method, the surest first. */
  readonly mistakes: readonly Mistake[];
}

/** How a head's training went. */
export interface TrainingCurve {
  /** The method's row. */
  readonly row: string;
  /** The taxonomy's id. */
  readonly taxonomy: string;
  /** Of weights and order. */
  readonly seed: number;
  /** Every epoch, in order. */
  readonly history: readonly Epoch[];
  /** The epoch whose weights were kept. */
  readonly bestEpoch: number;
}

/** A data set, as it was used. */
export interface DatasetSummary {
  /** Its name in tables. */
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** SHA-256 over pictures and labels. */
  readonly digest: string;
  /** Pictures that were used. */
  readonly pictures: number;
  /** Those that could not be read, and why. */
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
  /** What the user should know of it, in sentences. */
  readonly notes: readonly string[];
}

/** An experiment. */
export interface Experiment {
  /** What it is called. */
  readonly title: string;
  /** Facts of the run, in the order to be shown: encoder, embedding space, seeds, device, times. */
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  /** What was read. */
  readonly datasets: readonly DatasetSummary[];
  /** In the order of tables: one block for each taxonomy and data set. */
  readonly tasks: readonly TaskResult[];
  /** Of the heads that were trained here. */
  readonly curves: readonly TrainingCurve[];
  /** What the reader should know, in sentences. */
  readonly notes: readonly string[];
}
