/**
 * What data sets call their parts. Folders, tables and shards all say it in these words.
 */

import { basename } from "node:path";
import type { Split } from "./dataset.ts";

const WORDS: ReadonlyMap<string, Split> = new Map([
  ["train", "train"],
  ["training", "train"],
  ["validation", "validation"],
  ["valid", "validation"],
  ["val", "validation"],
  ["dev", "validation"],
  ["test", "test"],
  ["testing", "test"],
]);

/** For messages: the words that are understood. */
export const SPLIT_WORDS: string = [...WORDS.keys()].join(", ");

/** The split that a word names, in any case; `undefined` where it names none. */
export function splitNamed(word: string): Split | undefined {
  return WORDS.get(word.toLowerCase());
}

/**
 * The split that a file's path names, as data sets of the hub and WebDataset shards do: by the first word of its name
 * (`train-00000-of-00002.parquet`, `test_3.tar`), else by its nearest folder that is one (`validation/0000.parquet`).
 *
 * @param path with `/`, relative to what the user named, so that no folder above it counts
 */
export function splitOfPath(path: string): Split | undefined {
  const [word] = /^[A-Za-z]*/.exec(basename(path)) ?? [""];
  const folders = path.split("/").slice(0, -1).reverse();
  return [word, ...folders].map(splitNamed).find((split) => split !== undefined);
}
