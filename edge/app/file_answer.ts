/**
 * Files over HTTP: conditional requests and single ranges (RFC 9110, 13 and 14), with bodies that flow.
 */

import { ClipEError } from "@clip-e/shared";
import type { Context } from "hono";
import { takeBytes } from "../http/cut_stream.ts";
import { problemResponse } from "./problem.ts";
import type { AppEnv } from "./request_record.ts";

/** A file's bytes, or its stream. */
export type FileBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

/** A file to be answered with. */
export interface AnsweredFile {
  /** Its media type. */
  readonly type: string;
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** Its length. */
  readonly bytes: number;
  /**
   * Opens it.
   *
   * @param start at which byte to begin
   * @returns what follows, or `undefined` where there is no such file
   */
  open(start: number): Promise<FileBody | undefined>;
}

/**
 * Answers with a file, a part of it, or that the caller's copy still holds.
 *
 * @param c the request's context
 * @param file what was asked for
 */
export async function answerFile(c: Context<AppEnv>, file: AnsweredFile): Promise<Response> {
  const { type, etag, bytes } = file;
  const known = { "ETag": etag, "Cache-Control": "no-cache" };
  if (isKnown(c.req.header("If-None-Match"), etag)) return c.body(null, 304, known);
  // RFC 9110, 13.1.5: a range of another version of the file would not fit.
  const isOther = (c.req.header("If-Range") ?? etag) !== etag;
  const range = isOther ? undefined : readRange(c.req.header("Range"), bytes);
  const { start, end } = range ?? { start: 0, end: bytes };
  if (start >= end && range) {
    const error = new ClipEError(
      "unsatisfiable-range",
      `The range begins where the file has ended: it has ${bytes} bytes`,
    );
    return problemResponse(c, error, { "Content-Range": `bytes */${bytes}` });
  }
  const rest = await file.open(start);
  if (!rest) return c.notFound();
  const isCut = end < bytes && rest instanceof ReadableStream;
  const body = isCut ? takeBytes(rest, end - start) : rest;
  return new Response(await toBody(c.req.method, body, end - start), {
    status: range ? 206 : 200,
    headers: {
      ...known,
      "Content-Type": type,
      "Content-Length": String(end - start),
      "Accept-Ranges": "bytes",
      ...(range && { "Content-Range": `bytes ${start}-${end - 1}/${bytes}` }),
    },
  });
}

/**
 * Whether the caller has the file (RFC 9110, 13.1.2): weak and strong tags are the same here.
 *
 * @param header `If-None-Match`
 * @param etag of the file
 */
export function isKnown(header: string | undefined, etag: string): boolean {
  const strong = (tag: string) => tag.trim().replace(/^W\//, "");
  return header?.split(",").some((tag) => tag.trim() === "*" || strong(tag) === strong(etag)) ??
    false;
}

/**
 * Reads a single range of bytes.
 *
 * @param header `Range`
 * @param bytes the file's length
 * @returns from which byte to before which, empty where the file has none of it; `undefined` for several ranges and whatever
 * else a server need not know (RFC 9110, 14.2)
 */
export function readRange(
  header: string | undefined,
  bytes: number,
): { readonly start: number; readonly end: number } | undefined {
  const [whole, first, last] = header?.match(/^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i) ?? [];
  if (whole === undefined || first + last === "") return undefined;
  if (first === "") return { start: Math.max(0, bytes - Number(last)), end: bytes };
  if (last !== "" && Number(last) < Number(first)) return undefined;
  return { start: Number(first), end: Math.min(Number(last || Infinity) + 1, bytes) };
}

/** The body that is sent: none for HEAD, whose stream would otherwise stay open for ever. */
async function toBody(method: string, body: FileBody, length: number): Promise<FileBody | null> {
  if (body instanceof Uint8Array) return method === "HEAD" ? null : body.subarray(0, length);
  if (method !== "HEAD") return body;
  await body.cancel();
  return null;
}
