/**
 * Where the pictures lie that a table lists. Tables outlive the folders that they were made for, so a layout names several
 * places, and a sample of pictures says which is meant. No picture is opened.
 */

import { join, posix } from "node:path";

/** What a line of a table says of a picture's place. */
export interface PictureWords {
  /** As the table has it: a path or an address. */
  readonly path: string;
  /** What it evokes. */
  readonly label: string;
  /** The label as the table writes it. */
  readonly index: string;
  /** Where the data set puts it. */
  readonly split?: string | undefined;
}

/** A pattern that pictures were found by. */
export interface ChosenPattern {
  /** Such as `images/{file}`. */
  readonly pattern: string;
  /** How many pictures of the sample exist by it. */
  readonly found: number;
  /** How many pictures the sample has. */
  readonly sought: number;
}

/** How many pictures are looked for, spread over the whole table; many only where none of a few exists. */
const SAMPLES = [64, 4096];

const isAddress = (path: string): boolean => /^https?:/.test(path);

/** The last part of a path or address, without an address's query. */
function fileOf(path: string): string {
  const last = path.slice(path.lastIndexOf("/") + 1);
  return isAddress(path) ? last.replace(/[?#].*$/, "") : last;
}

/**
 * A picture's path.
 *
 * @param pattern such as `images/{split}/{file}`
 * @returns relative to the data set's folder, with `/`
 */
export function placePicture(pattern: string, words: PictureWords): string {
  const path = pattern.replace(/\{(path|file|label|index|split)\}/g, (_, word) => {
    return word === "file"
      ? fileOf(words.path)
      : word === "path"
      ? words.path
      : word === "label"
      ? words.label
      : word === "index"
      ? words.index
      : words.split ?? "";
  });
  // Few paths need it, and there may be hundreds of thousands.
  return /(^|\/)\.{0,2}\//.test(path) ? posix.normalize(path) : path;
}

/**
 * Patterns that may fit: an address is no path, and a word that is not known leads nowhere.
 *
 * @param patterns the layout's
 * @param words of any picture
 */
export function usefulPatterns(patterns: readonly string[], words: PictureWords): string[] {
  return patterns.filter((pattern) =>
    !(pattern.includes("{path}") && isAddress(words.path)) &&
    !(pattern.includes("{split}") && words.split === undefined)
  );
}

/**
 * Finds the pattern by which most pictures of a sample exist.
 *
 * @param folder the data set's
 * @param patterns the likeliest first, which wins a tie
 * @param pictures all
 * @returns the pattern, and how many of how many pictures it found; `undefined` where no picture of the sample exists
 */
export async function choosePattern(
  folder: string,
  patterns: readonly string[],
  pictures: readonly PictureWords[],
): Promise<ChosenPattern | undefined> {
  for (const size of SAMPLES) {
    const count = Math.min(size, pictures.length);
    const step = pictures.length / count;
    const sample = Array.from({ length: count }, (_, i) => pictures[Math.floor(i * step)]);
    let best: ChosenPattern | undefined;
    for (const pattern of patterns) {
      const paths = sample.map((picture) => join(folder, placePicture(pattern, picture)));
      const infos = await Promise.all(paths.map((path) => Deno.stat(path).catch(() => null)));
      const found = infos.filter((info) => info?.isFile).length;
      if (found > (best?.found ?? 0)) best = { pattern, found, sought: count };
      if (found === count) break;
    }
    if (best !== undefined) return best;
  }
  return undefined;
}
