/**
 * The first step of training: what a data set of labelled pictures is, whichever form it comes in. Each form has a reader of
 * its own. Listing examples opens no picture; a picture's bytes are read when they are asked for.
 */

/** The parts that a data set may say its pictures belong to. */
export const SPLITS = ["train", "validation", "test"] as const;

/** One of {@linkcode SPLITS}. */
export type Split = (typeof SPLITS)[number];

/** A picture and what it evokes. */
export interface Example {
  /** For reports: its path within the data set, with `/`. No two of a data set are the same. */
  readonly name: string;
  /** What it evokes, in the data set's own words. */
  readonly label: string;
  /** Examples of one group are never split between training and measuring; by default each is its own. */
  readonly group: string;
  /** Where the data set itself puts it; absent where it leaves that to others. */
  readonly split?: Split;
  /**
   * Reads the picture file's bytes. Examples are best read in their order: what holds many pictures in one file is read
   * from front to back.
   *
   * @throws {TrainerError} when it cannot be read, in a sentence; other pictures may be fine
   */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** What a data set's labels are called in a taxonomy; a label that is not there has no counterpart, and is left out. */
export type LabelMap = ReadonlyMap<string, string>;

/** Labelled pictures. */
export interface Dataset {
  /** Short, for tables: `webemo`, or what its file or folder is called. */
  readonly name: string;
  /** One line for reports, such as `csv:labels.csv: 706 pictures, 2 labels`. */
  readonly description: string;
  /** In an order that depends on nothing but the data set's contents. */
  readonly examples: readonly Example[];
  /** The labels that occur, sorted by code unit. */
  readonly labels: readonly string[];
  /** By taxonomy id, finest first; none where its labels are of no taxonomy that is known. */
  readonly taxonomies: ReadonlyMap<string, LabelMap>;
  /** The column by which its examples are grouped; absent where each is its own group. */
  readonly groupedBy?: string;
  /** Things that the user should know of, in sentences: pictures that are named twice, a layout that was never seen. */
  readonly notes: readonly string[];
  /** Closes the files that stay open between reads; absent where none do. A later read opens its file again. */
  readonly close?: () => Promise<void>;
}
