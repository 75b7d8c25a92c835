/**
 * The files of a data set that lies in several: a file, a folder of them, or a pattern. A pattern may hold `*`, `?`,
 * lists `{a,b}` and, as WebDataset writes shards, ranges `{000..011}`.
 */

import { join, resolve } from "node:path";
import { dataFailure } from "./data_failure.ts";
import { describeFolder, readEntries } from "./find_pictures.ts";

/** A file that was found. */
export interface FoundFile {
  /** Absolute. */
  readonly path: string;
  /** Relative to the folder that was named, with `/`: for reports, and for the words of splits in it. */
  readonly name: string;
}

/** The words of a range such as `00..11`, with its zeros; `undefined` where it is none. */
function rangeWords(text: string): string[] | undefined {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  return Array.from(
    { length: Math.max(0, last - first + 1) },
    (_, i) => String(first + i).padStart(match[1].length, "0"),
  );
}

/** The patterns that one with braces stands for, in order. */
export function expandBraces(pattern: string): string[] {
  const match = /\{([^{}]*)\}/.exec(pattern);
  if (match === null) return [pattern];
  const words = rangeWords(match[1]) ?? match[1].split(",");
  const [before, after] = [
    pattern.slice(0, match.index),
    pattern.slice(match.index + match[0].length),
  ];
  return words.flatMap((word) => expandBraces(before + word + after));
}

function toExpression(part: string): RegExp {
  const source = part.replace(/[.+^$()|[\]\\{}]/g, "\\$&").replaceAll("*", ".*").replaceAll(
    "?",
    ".",
  );
  return new RegExp(`^${source}$`, "s");
}

/** The paths, relative to `folder`, that fit the parts of a pattern. */
async function match(folder: string, [part, ...rest]: readonly string[]): Promise<string[]> {
  const expression = toExpression(part);
  const found: string[] = [];
  for (const { name, isFolder } of await readEntries(folder)) {
    if (!expression.test(name)) continue;
    if (rest.length === 0) found.push(...(isFolder ? [] : [name]));
    else if (isFolder) {
      found.push(...(await match(join(folder, name), rest)).map((inner) => `${name}/${inner}`));
    }
  }
  return found;
}

/** The files below a folder whose name ends so, at any depth. */
async function below(folder: string, endings: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { name, isFolder } of await readEntries(folder)) {
    if (isFolder) {
      found.push(...(await below(join(folder, name), endings)).map((inner) => `${name}/${inner}`));
    } else if (endings.some((ending) => name.endsWith(ending))) {
      found.push(name);
    }
  }
  return found;
}

/** How many parts of a pattern come before the first with a star or a list: the folder that names are relative to. */
function countFixedParts(pattern: string): number {
  const parts = pattern.split("/");
  const first = parts.findIndex((part) => /[*?{]/.test(part));
  return first < 0 ? parts.length - 1 : first;
}

/**
 * Finds the files of a data set.
 *
 * @param pattern a file, a folder or a pattern, as the user wrote it
 * @param endings of the files that count in a folder, such as `.tar`
 * @returns at least one, in the order of the pattern's lists and then by name
 * @throws {TrainerError} when there is none
 */
export async function findFiles(
  pattern: string,
  endings: readonly string[],
): Promise<FoundFile[]> {
  const info = await Deno.stat(pattern).catch(() => null);
  if (info?.isFile) return [{ path: resolve(pattern), name: pattern.split("/").at(-1) ?? pattern }];
  if (info?.isDirectory) {
    const names = await below(pattern, endings);
    if (names.length > 0) return names.map((name) => ({ path: resolve(pattern, name), name }));
    throw dataFailure(
      pattern,
      `there is no file that ends in ${endings.join(" or ")}, but ${await describeFolder(
        pattern,
      )}. ` +
        "Name the folder that has them",
    );
  }
  const fixed = countFixedParts(pattern);
  const found = new Map<string, FoundFile>();
  for (const one of expandBraces(pattern)) {
    const parts = one.split("/");
    const folder = parts.slice(0, fixed).join("/") || (one.startsWith("/") ? "/" : ".");
    for (const name of await match(resolve(folder), parts.slice(fixed)).catch(() => [])) {
      const path = resolve(folder, name);
      found.set(path, { path, name });
    }
  }
  if (found.size > 0) return [...found.values()];
  throw dataFailure(
    pattern,
    /[*?{]/.test(pattern)
      ? "no file fits this pattern. Check the path, and put the pattern in quotation marks, so " +
        "that the shell leaves it alone"
      : "there is no such file or folder. Check the path",
  );
}
