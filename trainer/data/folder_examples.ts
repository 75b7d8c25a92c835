/**
 * Labelled pictures from a folder with one sub-folder per label, as many public data sets come; or with one sub-folder
 * per split (`train`, `val`, `test`), each with one per label.
 */

import { join, resolve } from "node:path";
import { compare } from "./compare.ts";
import { dataFailure, messageOf } from "./data_failure.ts";
import type { Example, Split } from "./dataset.ts";
import { findPictures, readEntries } from "./find_pictures.ts";
import { pictureReader } from "./picture_file.ts";
import { splitNamed } from "./split_name.ts";

/** A sub-folder whose pictures have one label. */
export interface LabelFolder {
  /** Relative to the data set's folder, with `/`. */
  readonly path: string;
  /** Of its pictures. */
  readonly label: string;
  /** Of its pictures, where the data set says so. */
  readonly split?: Split;
}

async function subFolders(folder: string): Promise<string[]> {
  const entries = await readEntries(folder);
  return entries.filter(({ isFolder }) => isFolder).map(({ name }) => name);
}

/**
 * The label folders of a folder: its sub-folders, or those of its sub-folders where all of these are named as splits.
 *
 * @param folder absolute path
 */
export async function findLabelFolders(folder: string): Promise<LabelFolder[]> {
  const names = await subFolders(folder);
  const bySplit: LabelFolder[] = [];
  for (const name of names) {
    const split = splitNamed(name);
    if (split === undefined) return names.map((label) => ({ path: label, label }));
    for (const label of await subFolders(join(folder, name))) {
      bySplit.push({ path: `${name}/${label}`, label, split });
    }
  }
  return bySplit.length > 0 ? bySplit : names.map((label) => ({ path: label, label }));
}

/**
 * Lists the pictures of label folders, at any depth.
 *
 * @param folder absolute path of the data set's folder
 * @param labelFolders which of its sub-folders
 * @returns by label and then name
 */
export async function listLabelFolders(
  folder: string,
  labelFolders: readonly LabelFolder[],
): Promise<Example[]> {
  const examples: Example[] = [];
  const above = [await Deno.realPath(folder)];
  for (const { path, label, split } of labelFolders) {
    for (const picture of await findPictures(join(folder, path), above)) {
      const name = `${path}/${picture}`;
      const read = pictureReader(folder, name);
      examples.push({ name, label, group: name, ...(split && { split }), read });
    }
  }
  return examples.sort((a, b) => compare(a.label, b.label) || compare(a.name, b.name));
}

/**
 * Reads the examples of `folder:DIR`.
 *
 * Hidden entries, files that are no pictures and pictures outside of label folders are skipped.
 *
 * @param path the folder
 * @returns at least one example, by label and then name
 * @throws {TrainerError} when the folder cannot be read or its sub-folders have no pictures
 */
export async function readFolderExamples(path: string): Promise<Example[]> {
  const folder = resolve(path);
  let examples: Example[];
  try {
    examples = await listLabelFolders(folder, await findLabelFolders(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw dataFailure(path, "there is no such folder. Check the path after folder:", error);
    }
    if (error instanceof Deno.errors.NotADirectory) {
      throw dataFailure(path, `it is a file. Name a folder, or write csv:${path}`, error);
    }
    throw dataFailure(path, messageOf(error), error);
  }
  if (examples.length === 0) {
    throw dataFailure(
      path,
      "none of its sub-folders has pictures. Make one sub-folder per label and put its " +
        "pictures (.jpg, .jpeg, .png, .webp) there",
    );
  }
  return examples;
}
