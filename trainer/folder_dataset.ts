/**
 * Labelled pictures from a folder with one sub-folder per label, as many public data sets come.
 */

import { extname, join, resolve } from "node:path";
import type { Example } from "./dataset.ts";
import { TrainerError } from "./errors.ts";

const PICTURE_TYPES = new Set([".jpg", ".jpeg", ".png", ".webp"]);

function failure(path: string, why: string, cause?: unknown): TrainerError {
  return new TrainerError(`Cannot read ${path}: ${why}`, { cause });
}

/** Compares by code unit, so that the order is the same on every machine and in every language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The visible entries of a folder; a link counts as what it leads to, one that leads nowhere as a
 * file.
 */
async function readEntries(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  const entries: { name: string; isFolder: boolean }[] = [];
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(folder)) {
    if (name.startsWith(".")) continue;
    const target = isSymlink ? await Deno.stat(join(folder, name)).catch(() => null) : null;
    entries.push({ name, isFolder: isDirectory || target?.isDirectory === true });
  }
  return entries;
}

/**
 * Names of the pictures in a folder and below it, with `/`.
 *
 * @param folder where to look
 * @param above real paths of the folders that led here, so that a link to one of them ends the way
 */
async function findPictures(folder: string, above: readonly string[]): Promise<string[]> {
  const real = await Deno.realPath(folder);
  if (above.includes(real)) return [];
  const names: string[] = [];
  for (const { name, isFolder } of await readEntries(folder)) {
    if (isFolder) {
      const inner = await findPictures(join(folder, name), [...above, real]);
      names.push(...inner.map((innerName) => `${name}/${innerName}`));
    } else if (PICTURE_TYPES.has(extname(name).toLowerCase())) {
      names.push(name);
    }
  }
  return names;
}

async function readLabelled(folder: string): Promise<Example[]> {
  const examples: Example[] = [];
  const above = [await Deno.realPath(folder)];
  for (const { name: label, isFolder } of await readEntries(folder)) {
    if (!isFolder) continue;
    for (const picture of await findPictures(join(folder, label), above)) {
      const name = `${label}/${picture}`;
      examples.push({ file: join(folder, name), name, label, group: name });
    }
  }
  return examples;
}

/**
 * Reads the examples of a folder: the pictures (`.jpg`, `.jpeg`, `.png`, `.webp`, in any case) in
 * its sub-folders, at any depth, labelled with the name of the sub-folder. Hidden entries and other
 * files are skipped.
 *
 * @param path the folder
 * @returns at least one example, by label and then name
 * @throws {TrainerError} when the folder cannot be read or its sub-folders have no pictures
 */
export async function readFolderExamples(path: string): Promise<Example[]> {
  let examples: Example[];
  try {
    examples = await readLabelled(resolve(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw failure(path, "there is no such folder. Check the path after folder:", error);
    }
    if (error instanceof Deno.errors.NotADirectory) {
      throw failure(path, `it is a file. Name a folder, or write csv:${path}`, error);
    }
    throw failure(path, error instanceof Error ? error.message : String(error), error);
  }
  if (examples.length === 0) {
    throw failure(
      path,
      "none of its sub-folders has pictures. Make one sub-folder per label and put its " +
        "pictures (.jpg, .jpeg, .png, .webp) there",
    );
  }
  return examples.sort((a, b) => compare(a.label, b.label) || compare(a.name, b.name));
}
