/**
 * Where the members of a tar file lie. Only headers are read, by seeking from one to the next: a shard of a gigabyte is
 * indexed in milliseconds, and its pictures are read later from where they lie.
 *
 * The format is POSIX.1-2001's ustar and pax, with GNU's long names and large sizes, as tar programs and WebDataset write.
 */

import { TrainerError } from "../errors.ts";
import type { OpenFiles } from "./open_files.ts";

/** A file in a tar file. */
export interface TarMember {
  /** With its folders, with `/`. */
  readonly name: string;
  /** Of its first byte in the tar file. */
  readonly start: number;
  /** In bytes. */
  readonly length: number;
}

const BLOCK = 512;
/** An extended header is a name or a few; more is damage. */
const MAX_EXTENSION = 1 << 20;

const decoder = new TextDecoder();

/** A field of text, which ends at its first zero byte. */
function textAt(block: Uint8Array, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
}

/** A number in octal digits or, GNU's way for large ones, in base 256. */
function numberAt(block: Uint8Array, start: number, length: number): number {
  if (block[start] & 0x80) {
    let value = block[start] & 0x7F;
    for (const byte of block.subarray(start + 1, start + length)) value = value * 256 + byte;
    return value;
  }
  return parseInt(textAt(block, start, length).trim() || "0", 8);
}

/** Whether a header's sum of bytes, its own field counted as blanks, is what it says. */
function isHeader(block: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : block[i];
  return sum === numberAt(block, 148, 8);
}

/** The records `length key=value` of a pax header. */
function paxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(32, at);
    const length = parseInt(decoder.decode(bytes.subarray(at, blank)), 10);
    if (blank < 0 || !(length > 0)) break;
    const [key, ...value] = decoder.decode(bytes.subarray(blank + 1, at + length - 1)).split("=");
    records.set(key, value.join("="));
    at += length;
  }
  return records;
}

/**
 * Lists the files in a tar file.
 *
 * @param files to read with
 * @param path the tar file
 * @param size its length in bytes
 * @returns in order
 * @throws {TrainerError} when it is compressed, damaged or ends too early
 */
export function indexTar(files: OpenFiles, path: string, size: number): TarMember[] {
  const refuse = (why: string) => new TrainerError(`Cannot read ${path}: ${why}`);
  const members: TarMember[] = [];
  let longName: string | undefined;
  let pax = new Map<string, string>();
  for (let at = 0; at + BLOCK <= size;) {
    const block = files.read(path, at, BLOCK);
    if (block.every((byte) => byte === 0)) break;
    if (at === 0 && block[0] === 0x1F && block[1] === 0x8B) {
      throw refuse(
        "it is compressed, so no picture can be read from its middle. Unpack it: gunzip",
      );
    }
    if (!isHeader(block)) {
      throw refuse(
        at === 0
          ? "it is no tar file"
          : `it is damaged: at byte ${at} there should be a member's header. Get the file again`,
      );
    }
    const type = String.fromCharCode(block[156]);
    const start = at + BLOCK;
    const isExtension = type === "x" || type === "L" || type === "g" || type === "K";
    const length = Number((isExtension ? undefined : pax.get("size")) ?? numberAt(block, 124, 12));
    if (!(start + length <= size) || (isExtension && length > MAX_EXTENSION)) {
      throw refuse(`it ends in the middle of ${textAt(block, 0, 100)}. Get the file again`);
    }
    if (type === "x") pax = paxRecords(files.read(path, start, length));
    if (type === "L") longName = textAt(files.read(path, start, length), 0, length);
    if (!isExtension) {
      // The prefix is ustar's alone: GNU's own format keeps other things there.
      const prefix = textAt(block, 257, 6) === "ustar" ? textAt(block, 345, 155) : "";
      const shortName = textAt(block, 0, 100);
      const name = pax.get("path") ?? longName ?? (prefix ? `${prefix}/${shortName}` : shortName);
      if (type === "0" || type === "\0" || type === "7") members.push({ name, start, length });
      longName = undefined;
      pax = new Map();
    }
    at = start + Math.ceil(length / BLOCK) * BLOCK;
  }
  return members;
}
