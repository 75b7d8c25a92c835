/**
 * Text files, which must be UTF-8: a wrong encoding is refused, or labels would be garbled without a word.
 */

import { dataFailure, messageOf } from "./data_failure.ts";

const CHUNK_BYTES = 1 << 16;

function readFailure(path: string, hint: string, error: unknown): Error {
  if (error instanceof Deno.errors.NotFound) {
    return dataFailure(path, `there is no such file. ${hint}`, error);
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return dataFailure(path, `it is a folder. Name a file in it, or write folder:${path}`, error);
  }
  if (error instanceof TypeError) {
    return dataFailure(path, "it is not UTF-8 text. Save it as CSV in UTF-8", error);
  }
  return dataFailure(path, messageOf(error), error);
}

/** A decoder that drops a byte order mark and throws a `TypeError` where the bytes are not UTF-8. */
function strictDecoder(): TextDecoder {
  return new TextDecoder("utf-8", { fatal: true });
}

/**
 * Reads a text file.
 *
 * @param path the file
 * @param hint what to do where there is none
 * @throws {TrainerError} when it cannot be read or is not UTF-8
 */
export function readText(path: string, hint: string): string {
  try {
    return strictDecoder().decode(Deno.readFileSync(path));
  } catch (error) {
    throw readFailure(path, hint, error);
  }
}

/** The pieces of a text file, in order, and an empty one at its end. */
function* readPieces(path: string): Generator<string> {
  using file = Deno.openSync(path);
  const decoder = strictDecoder();
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const count = file.readSync(buffer);
    if (count === null) break;
    yield decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  yield decoder.decode();
}

/**
 * Reads the lines of a text file, one after another: lists of hundreds of thousands are never held as a whole.
 *
 * @param path the file
 * @param hint what to do where there is none
 * @throws {TrainerError} when it cannot be read or is not UTF-8
 */
export function* readLines(path: string, hint: string): Generator<string, void> {
  let rest = "";
  try {
    for (const piece of readPieces(path)) {
      const text = rest + piece;
      // A line feed may follow in the next piece: then both end one line.
      const isCut = text.endsWith("\r");
      const lines = (isCut ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
      rest = (lines.pop() ?? "") + (isCut ? "\r" : "");
      yield* lines;
    }
  } catch (error) {
    throw readFailure(path, hint, error);
  }
  yield rest.replace(/\r$/, "");
}
