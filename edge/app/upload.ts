/**
 * The pictures of a request: its raw body, or the `image` parts of a multipart one.
 */

import { ClipEError } from "@clip-e/shared";

/** Limits of one upload. */
export interface UploadLimits {
  /** Called with the length of each chunk before it is kept; may throw. */
  readonly onBytes?: (count: number) => void;
  /** Of the whole body. */
  readonly maxBytes: number;
  /** Parts named `image`. */
  readonly maxPictures: number;
  /** How long the body may take to arrive, in milliseconds. */
  readonly timeout: number;
}

/** The pictures of a request. */
export interface Upload {
  /** Whether they came as parts, and the answer is a list. */
  readonly isMultipart: boolean;
  /** Each a whole file, of a type that only its bytes say, or why there is none. */
  readonly pictures: readonly (Uint8Array<ArrayBuffer> | ClipEError)[];
}

/**
 * Reads the pictures of a request.
 *
 * @param request whose body has not been read
 * @param limits of the upload
 * @throws {ClipEError} `no-picture`, `malformed-multipart`, `too-many-pictures`, `too-many-bytes` or `upload-timeout`
 */
export async function readUpload(request: Request, limits: UploadLimits): Promise<Upload> {
  const bytes = await readBody(request, limits);
  if (bytes.length === 0) {
    throw new ClipEError(
      "no-picture",
      "The request carries no picture: send its bytes as the body, or as multipart parts named image",
    );
  }
  const type = request.headers.get("Content-Type") ?? "";
  if (!/^multipart\/form-data\b/i.test(type)) return { isMultipart: false, pictures: [bytes] };
  return { isMultipart: true, pictures: await readParts(bytes, type, limits.maxPictures) };
}

/**
 * Reads a body under both limits at once. (A limit on bytes alone would wait for ever for one that trickles in without a
 * length.)
 *
 * @param request whose body has not been read
 * @param limits of the body
 * @throws {ClipEError} `too-many-bytes`, `upload-timeout` or `no-picture`, when it broke off
 */
export async function readBody(
  request: Request,
  limits: UploadLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const { maxBytes, timeout } = limits;
  const tooLarge = () =>
    new ClipEError("too-many-bytes", `The upload is larger than the ${maxBytes} bytes allowed`);
  if (Number(request.headers.get("Content-Length") ?? 0) > maxBytes) throw tooLarge();
  if (!request.body) return new Uint8Array();

  const reader = request.body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new ClipEError("upload-timeout", `The upload took longer than ${timeout / 1000} seconds`),
      );
    }, timeout);
  });
  try {
    return await Promise.race([readAll(reader, limits, tooLarge), late]);
  } catch (error) {
    reader.cancel().catch(() => {});
    if (error instanceof ClipEError) throw error;
    throw new ClipEError("no-picture", "The upload broke off", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { maxBytes, onBytes }: UploadLimits,
  tooLarge: () => ClipEError,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > maxBytes) throw tooLarge();
    onBytes?.(value.length);
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function readParts(
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
  maxPictures: number,
): Promise<(Uint8Array<ArrayBuffer> | ClipEError)[]> {
  let form: FormData;
  try {
    checkDelimiters(bytes, type);
    form = await new Response(bytes, { headers: { "Content-Type": type } }).formData();
  } catch (cause) {
    throw new ClipEError(
      "malformed-multipart",
      "The multipart body cannot be read: is it whole, and its boundary the one that Content-Type names?",
      { cause },
    );
  }
  const parts = form.getAll("image");
  if (parts.length === 0) {
    throw new ClipEError("no-picture", "The multipart body has no part named image");
  }
  if (parts.length > maxPictures) {
    throw new ClipEError(
      "too-many-pictures",
      `The request carries ${parts.length} pictures, at most ${maxPictures} are allowed`,
    );
  }
  return await Promise.all(parts.map(async (part) => {
    // A part without a file name is text to FormData, which has no way back to bytes.
    if (typeof part !== "string") return new Uint8Array(await part.arrayBuffer());
    return new ClipEError("malformed-multipart", "This part named image has no filename");
  }));
}

/** More delimiters than a form with pictures has; each costs time to parse, however empty its part. */
const MAX_DELIMITERS = 256;

/**
 * Looks at a multipart body's delimiters (RFC 2046, 5.1.1) before it is parsed. `Response.formData()` takes any number of
 * parts, and some runtimes drop the last one when it is cut off.
 *
 * @throws {Error} when there are too many, or the closing one is missing
 */
function checkDelimiters(bytes: Uint8Array, type: string): void {
  const [, quoted, token] = type.match(/\bboundary=(?:"([^"]*)"|([^;\s]*))/i) ?? [];
  const delimiter = `--${quoted ?? token}`;
  const text = new TextDecoder("latin1").decode(bytes);
  let count = 0;
  let last = -1;
  for (let at = text.indexOf(delimiter); at >= 0; at = text.indexOf(delimiter, at + 1)) {
    last = at;
    if (++count > MAX_DELIMITERS) throw new Error("it has too many parts");
  }
  if (last < 0 || !text.startsWith("--", last + delimiter.length)) {
    throw new Error("the closing delimiter is missing");
  }
}
