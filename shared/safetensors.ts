/**
 * safetensors, the format of heads and prompt embeddings: a little-endian 64-bit header length, a JSON header, then the
 * tensors' bytes. Source: the format's description in `huggingface/safetensors`.
 */

import { ClipEError } from "./errors.ts";

/** A tensor of 32-bit floats. */
export interface Tensor {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array;
}

/** A tensor of 32-bit integers. */
export interface IntegerTensor {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Int32Array;
}

/** All that a file holds. */
export interface SafetensorsFile {
  /** Tensors of floats, by name; 16-bit ones are widened. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Tensors of 32-bit integers, by name. */
  readonly integers: ReadonlyMap<string, IntegerTensor>;
  /** Text by name; what is not text is left out. */
  readonly metadata: ReadonlyMap<string, string>;
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const SPACE = 0x20;
const METADATA = "__metadata__";
/** Of a number of each type that is read as floats. */
const FLOAT_BYTES: ReadonlyMap<string, number> = new Map([["F32", 4], ["F16", 2]]);

/**
 * Writes tensors of 32-bit floats and integers.
 *
 * @param tensors by name; the file's order is that of the names, so that equal tensors give equal bytes
 * @param metadata text by name, written in the order of names; by default none
 * @returns the file's bytes
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor | IntegerTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const names = Object.keys(tensors).sort();
  const header: Record<string, HeaderEntry> = {};
  let end = 0;
  for (const name of names) {
    const { shape, data } = tensors[name];
    checkLength(name, shape, data.length);
    header[name] = {
      dtype: data instanceof Int32Array ? "I32" : "F32",
      shape: [...shape],
      data_offsets: [end, end + data.byteLength],
    };
    end += data.byteLength;
  }
  // The format asks for tensors aligned to 8 bytes, and allows spaces after the JSON.
  const about = Object.entries(metadata).sort(([a], [b]) => a < b ? -1 : 1);
  const json = new TextEncoder().encode(JSON.stringify({
    ...(about.length > 0 && { [METADATA]: Object.fromEntries(about) }),
    ...header,
  }));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(SPACE, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(json, 8);
  for (const name of names) {
    const { buffer, byteOffset, byteLength } = tensors[name].data;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), start + header[name].data_offsets[0]);
  }
  return bytes;
}

/**
 * Reads tensors; 16-bit floats are widened.
 *
 * @param bytes the file's bytes
 * @returns tensors by name
 * @throws {ClipEError} `invalid-bundle`, when the bytes are not safetensors or hold another type than F32 and F16
 */
export function readSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  const { entries, body } = openFile(bytes);
  return new Map(Array.from(entries, ([name, entry]) => [name, readFloats(name, entry, body)]));
}

/**
 * Reads tensors of floats and of integers, and what the file says of itself.
 *
 * @param bytes the file's bytes
 * @throws {ClipEError} `invalid-bundle`, when the bytes are not safetensors or hold another type than F32, F16 and I32
 */
export function readSafetensorsFile(bytes: Uint8Array): SafetensorsFile {
  const { entries, body, metadata } = openFile(bytes);
  const tensors = new Map<string, Tensor>();
  const integers = new Map<string, IntegerTensor>();
  for (const [name, entry] of entries) {
    if (entry.dtype === "I32") integers.set(name, readIntegers(name, entry, body));
    else tensors.set(name, readFloats(name, entry, body));
  }
  return { tensors, integers, metadata };
}

/** A file's header, checked, and the bytes after it. */
function openFile(bytes: Uint8Array): {
  entries: Map<string, HeaderEntry>;
  body: Uint8Array;
  metadata: Map<string, string>;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { header, start } = readHeader(bytes, view);
  const body = bytes.subarray(start);
  const { [METADATA]: about, ...described } = header;
  const entries = new Map<string, HeaderEntry>();
  for (const [name, entry] of Object.entries(described)) {
    if (!isHeaderEntry(entry)) throw broken(`its entry for ${name} is malformed`);
    entries.set(name, entry);
  }
  checkOffsets(entries, body.length);
  const texts = Object.entries(about ?? {}).filter(([, text]) => typeof text === "string");
  return { entries, body, metadata: new Map(texts) };
}

function readHeader(
  bytes: Uint8Array,
  view: DataView,
): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8) throw broken(`it has only ${bytes.length} bytes`);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || 8 + length > bytes.length) {
    throw broken(`its header claims ${length} bytes of ${bytes.length}`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch (cause) {
    throw broken("its header is not JSON", cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw broken("its header is not a JSON object");
  }
  return { header: { ...header }, start: 8 + length };
}

function isHeaderEntry(entry: unknown): entry is HeaderEntry {
  if (typeof entry !== "object" || entry === null) return false;
  const { dtype, shape, data_offsets: offsets } = entry as Partial<HeaderEntry>;
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  return typeof dtype === "string" && Array.isArray(shape) && shape.every(isCount) &&
    Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount);
}

/** The format asks that tensors follow one another, without gap or overlap, to the end of the file. */
function checkOffsets(entries: ReadonlyMap<string, HeaderEntry>, length: number): void {
  const inOrder = [...entries].sort(([, a], [, b]) =>
    a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]
  );
  let end = 0;
  for (const [name, { data_offsets: [from, to] }] of inOrder) {
    if (from > to || to > length) {
      throw broken(`${name} claims bytes ${from} to ${to}, which the file does not have`);
    }
    if (from !== end) {
      throw broken(
        `${name} claims bytes ${from} to ${to}, and the tensor before it ends at ${end}`,
      );
    }
    end = to;
  }
  if (end !== length) throw broken(`its tensors end at ${end}, its bytes at ${length}`);
}

/** `body` holds the bytes after the header. Every host of WebAssembly is little-endian, as the format is. */
function readFloats(
  name: string,
  { dtype, shape, data_offsets: [from, to] }: HeaderEntry,
  body: Uint8Array,
): Tensor {
  const size = FLOAT_BYTES.get(dtype);
  if (size === undefined) {
    throw broken(`${name} is of type ${dtype}, and only F32 and F16 are read as floats`);
  }
  checkLength(name, shape, (to - from) / size);
  const { buffer } = body.slice(from, to);
  const data = size === 4
    ? new Float32Array(buffer)
    : Float32Array.from(new Uint16Array(buffer), halfToFloat);
  return { shape, data };
}

function readIntegers(
  name: string,
  { shape, data_offsets: [from, to] }: HeaderEntry,
  body: Uint8Array,
): IntegerTensor {
  checkLength(name, shape, (to - from) / Int32Array.BYTES_PER_ELEMENT);
  return { shape, data: new Int32Array(body.slice(from, to).buffer) };
}

/** IEEE 754 binary16 to a number. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function checkLength(name: string, shape: readonly number[], count: number): void {
  if (shape.reduce((product, n) => product * n, 1) !== count) {
    throw broken(`${name} has ${count} numbers, its shape [${shape.join(", ")}] another count`);
  }
}

function broken(why: string, cause?: unknown): ClipEError {
  return new ClipEError("invalid-bundle", `Cannot read safetensors: ${why}`, { cause });
}
