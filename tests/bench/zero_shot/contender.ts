/**
 * What is compared: ways to answer the same question.
 */

import type { LabelSet } from "./label_sets.ts";

/** CLIP's own, which cosines are multiplied by before the softmax. */
export const LOGIT_SCALE = 100;

/** What runs the model. */
export type Backend = "native" | "wasm";

/** What the weights are: signed 8-bit integers or 32-bit floats. */
export type Precision = "int8" | "fp32";

/** What all contenders load. */
export interface Setup {
  /** Where the model's folder `clip` and the bundle's folder `bundle` are. */
  readonly folder: string;
  /** The model's. */
  readonly precision: Precision;
  /** What runs the model. */
  readonly backend: Backend;
  /** Threads that a native run computes with. */
  readonly threads: number;
}

/** One label's score. */
export interface Score {
  /** The label's id or its prompt. */
  readonly label: string;
  /** In 0..1. */
  readonly score: number;
}

/** An answer. */
export interface Answer {
  /** In any order. */
  readonly scores: readonly Score[];
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** How long its parts took, in milliseconds, where they are known. */
  readonly parts?: Readonly<Record<string, number>>;
}

/** Scores the picture in a file; the time starts with the file's bytes in memory. */
export type Answerer = (picture: string) => Promise<Answer>;

/** A way to answer. */
export interface Contender {
  /** Does what can be done before any picture comes. */
  prepare(labels: LabelSet): Promise<Answerer>;
}

/**
 * Adds a clock.
 *
 * @param score scores a picture's bytes
 */
export function timed(
  score: (picture: Uint8Array<ArrayBuffer>) => Promise<Omit<Answer, "ms">>,
): Answerer {
  return async (picture) => {
    const bytes = await Deno.readFile(picture);
    const start = performance.now();
    const answer = await score(bytes);
    return { ...answer, ms: performance.now() - start };
  };
}
