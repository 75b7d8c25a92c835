/**
 * Large files in parts. A static asset has a largest size, so that a larger file of a bundle lies in several, with a list of
 * them in a small file beside the manifest. Joined, the parts are the file: its length and hash are checked as any other's.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import { skipBytes } from "../../http/cut_stream.ts";

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
  /** Its bytes, to be read once: a byte stream, as platforms give. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
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
export function partedFiles(open: Store): Required<Pick<BundleSource, "read" | "stream">> {
  let list: Promise<PartList> | undefined;
  const findParts = async (path: string) => (await (list ??= readList(open)))[path];
  return {
    async read(path) {
      const parted = await findParts(path);
      if (parted) return await join(open, path, parted);
      return await readWhole(open, path);
    },
    async stream(path, start) {
      const parted = await findParts(path);
      return await streamParts(open, path, parted?.parts ?? [path], start);
    },
  };
}

/**
 * Reads files that all lie whole.
 *
 * @param open where they lie
 */
export function wholeFiles(open: Store): ReturnType<typeof partedFiles> {
  return {
    read: (path) => readWhole(open, path),
    stream: (path, start) => streamParts(open, path, [path], start),
  };
}

async function readWhole(
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
    for await (const chunk of (await openPart(open, path, part)).body) {
      if (at + chunk.length > bytes) throw wrongLength(path, bytes);
      whole.set(chunk, at);
      at += chunk.length;
    }
  }
  if (at !== bytes) throw wrongLength(path, bytes);
  return whole;
}

/** Passes a file on without holding it. All of its parts but the last are of the same length. */
async function streamParts(
  open: Store,
  path: string,
  parts: readonly string[],
  start: number,
): Promise<FileStream | undefined> {
  const skipped = parts.length > 1 ? Math.floor(start / MAX_PART_BYTES) : 0;
  const first = await open(parts[skipped] ?? "");
  if (!first) return undefined;
  const body = first.body ?? new Blob().stream();
  const others = parts.slice(skipped + 1);
  const stream = others.length === 0 ? body : concatenate(open, path, body, others);
  return skipBytes(stream, start - skipped * MAX_PART_BYTES);
}

type FileStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** How much is taken of a part at once, in bytes: each piece costs its way through JavaScript, and memory. */
const PIECE = 32 * 1024;

function concatenate(
  open: Store,
  path: string,
  first: FileStream,
  others: readonly string[],
): FileStream {
  const pieces = readParts(open, path, first, others);
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void await pieces.return(undefined),
  }, { highWaterMark: 0 });
}

async function* readParts(
  open: Store,
  path: string,
  first: FileStream,
  others: readonly string[],
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  yield* readPieces(first);
  for (const part of others) yield* readPieces((await openPart(open, path, part)).body);
}

async function* readPieces(body: FileStream): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  const reader = body.getReader({ mode: "byob" });
  try {
    while (true) {
      const { value, done } = await reader.read(new Uint8Array(PIECE), { min: PIECE });
      if (value && value.length > 0) yield value;
      if (done) return;
    }
  } finally {
    await reader.cancel();
  }
}

async function openPart(open: Store, path: string, part: string) {
  const file = await open(part);
  if (file?.body) return { body: file.body };
  throw new ClipEError("invalid-bundle", `A part of ${path} is missing: ${part}`);
}

function wrongLength(path: string, bytes: number): ClipEError {
  return new ClipEError("invalid-bundle", `The parts of ${path} are not ${bytes} bytes together`);
}
