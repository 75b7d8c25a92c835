/**
 * What lies in a folder, without opening any picture. Hidden entries are skipped; links count as what they lead to.
 */

import { join } from "node:path";
import { compare } from "./compare.ts";
import { isPictureName } from "./picture_file.ts";

/** An entry of a folder. */
export interface Entry {
  /** Without the folder. */
  readonly name: string;
  /** Whether it is a folder, or a link to one. */
  readonly isFolder: boolean;
}

/**
 * The visible entries of a folder; a link that leads nowhere counts as a file.
 *
 * @returns sorted by name
 * @throws {Deno.errors.NotFound | Deno.errors.NotADirectory} as `Deno.readDir` does
 */
export async function readEntries(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(folder)) {
    if (name.startsWith(".")) continue;
    const target = isSymlink ? await Deno.stat(join(folder, name)).catch(() => null) : null;
    entries.push({ name, isFolder: isDirectory || target?.isDirectory === true });
  }
  return entries.sort((a, b) => compare(a.name, b.name));
}

/**
 * The pictures (`.jpg`, `.jpeg`, `.png`, `.webp`, in any case) in a folder and below it.
 *
 * @param folder where to look
 * @param above real paths of the folders that led here, so that a link to one of them ends the way
 * @returns paths relative to the folder, with `/`
 */
export async function findPictures(folder: string, above: readonly string[]): Promise<string[]> {
  const real = await Deno.realPath(folder);
  if (above.includes(real)) return [];
  const names: string[] = [];
  for (const { name, isFolder } of await readEntries(folder)) {
    if (isFolder) {
      for (const inner of await findPictures(join(folder, name), [...above, real])) {
        names.push(`${name}/${inner}`);
      }
    } else if (isPictureName(name)) {
      names.push(name);
    }
  }
  return names;
}

/**
 * What a folder holds, for messages: its first few entries, folders with `/`.
 *
 * @returns such as `a.txt, images/ and 3 more`, or `nothing`
 */
export async function describeFolder(folder: string): Promise<string> {
  const entries = await readEntries(folder);
  if (entries.length === 0) return "nothing";
  const shown = entries.slice(0, 6).map(({ name, isFolder }) => isFolder ? `${name}/` : name);
  const more = entries.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
