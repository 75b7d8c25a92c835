/**
 * Large files in parts. A static asset has a largest size, so that a larger file of a bundle lies in several, with a list of
 * them in a small file beside the manifest. Joined, the parts are the file: its length and hash are checked as any other's.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";

/** The list, beside the manifest. */
export const PARTS_PATH = "parts.json";

/** The largest static asset, in bytes, by the platform's published limit. */
export const MAX_PART_BYTES = 25 * 1024 * 1024;

/** Of each file in parts, by its path, where they lie and how long it is. */
export type PartList = Readonly<
  Record<string, { readonly bytes: number; readonly parts: readonly string[] }>
>;

/** A file as a platform gives it. */
export interface StoredFile {
  /** Its bytes, to be read once. */
  readonly body: ReadableStream<Uint8Array> | null;
  /** All of them. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Where files lie, without knowledge of parts. */
export type Store = (path: string) => Promise<StoredFile | undefined>;

/**
 * Plans the parts of a file that is too large.
 *
 * @param path of the file
 * @param bytes its length
 * @returns where each part lies, and from where to where it goes; none when the file may stay whole
 */
export function planParts(
  path: string,
  bytes: number,
): { readonly path: string; readonly start: number; readonly end: number }[] {
  if (bytes <= MAX_PART_BYTES) return [];
  return Array.from({ length: Math.ceil(bytes / MAX_PART_BYTES) }, (_, i) => ({
    path: `${path}.part${i}`,
    start: i * MAX_PART_BYTES,
    end: Math.min((i + 1) * MAX_PART_BYTES, bytes),
  }));
}

/**
 * Reads files, whole or in parts. The list is read once, with the first file.
 *
 * @param open where they lie
 */
export function partedFiles(open: Store): Pick<BundleSource, "read"> {
  let list: Promise<PartList> | undefined;
  return {
    async read(path) {
      list ??= readList(open);
      const parted = (await list)[path];
      if (parted) return await join(open, path, parted);
      return await readWhole(open, path);
    },
  };
}

/**
 * Reads a file that lies whole.
 *
 * @param open where it lies
 * @param path of the file
 */
export async function readWhole(
  open: Store,
  path: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const file = await open(path);
  return file && new Uint8Array(await file.arrayBuffer());
}

async function readList(open: Store): Promise<PartList> {
  const bytes = await readWhole(open, PARTS_PATH);
  return bytes ? JSON.parse(new TextDecoder().decode(bytes)) : {};
}

/** Fills the file's place in memory part by part, so that its bytes are there only once. */
async function join(
  open: Store,
  path: string,
  { bytes, parts }: PartList[string],
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    const file = await open(part);
    if (!file?.body) {
      throw new ClipEError("invalid-bundle", `A part of ${path} is missing: ${part}`);
    }
    for await (const chunk of file.body) {
      if (at + chunk.length > bytes) throw wrongLength(path, bytes);
      whole.set(chunk, at);
      at += chunk.length;
    }
  }
  if (at !== bytes) throw wrongLength(path, bytes);
  return whole;
}

function wrongLength(path: string, bytes: number): ClipEError {
  return new ClipEError("invalid-bundle", `The parts of ${path} are not ${bytes} bytes together`);
}
