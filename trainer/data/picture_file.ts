/**
 * A picture that is a file of its own: which files count as pictures, and how one is read.
 */

import { extname, resolve } from "node:path";
import { TrainerError } from "../errors.ts";
import { messageOf } from "./data_failure.ts";

const PICTURE_TYPES: ReadonlySet<string> = new Set([".jpg", ".jpeg", ".png", ".webp"]);

/** Whether a file is a picture, by its name. */
export function isPictureName(name: string): boolean {
  return PICTURE_TYPES.has(extname(name).toLowerCase());
}

/**
 * Reads a picture file's bytes.
 *
 * @param path the file
 * @throws {TrainerError} when it cannot be read
 */
export async function readPictureFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file"
      : cause instanceof Deno.errors.IsADirectory
      ? "it is a folder"
      : messageOf(cause);
    throw new TrainerError(`Cannot read the picture ${path}: ${why}`, { cause });
  }
}

/**
 * What an example's `read` is, for a picture that is a file.
 *
 * @param folder the data set's
 * @param name relative to it, or absolute
 */
export function pictureReader(
  folder: string,
  name: string,
): () => Promise<Uint8Array<ArrayBuffer>> {
  return () => readPictureFile(resolve(folder, name));
}
