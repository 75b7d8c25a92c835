/**
 * Errors as callers see them: RFC 9457 problem details, with the stable code and never a stack trace.
 */

import { ClipEError, ERROR_CODES, type ErrorCode } from "@clip-e/shared";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { AppEnv } from "./request_record.ts";

/** The HTTP status of each code. */
export const STATUS: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  "no-picture": 400,
  "malformed-multipart": 400,
  "malformed-json": 400,
  "too-many-pictures": 400,
  "unauthorized": 401,
  "not-found": 404,
  "method-not-allowed": 405,
  "upload-timeout": 408,
  "too-many-bytes": 413,
  "unsupported-type": 415,
  "unsatisfiable-range": 416,
  "undecodable": 422,
  "truncated": 422,
  "unsupported-colour": 422,
  "too-many-pixels": 422,
  "invalid-parameter": 422,
  "invalid-embedding": 422,
  "unknown-taxonomy": 422,
  "unknown-method": 422,
  "labels-not-served": 422,
  "rate-limited": 429,
  "internal": 500,
  "invalid-bundle": 503,
  "method-unavailable": 503,
  "queue-full": 503,
};

/** A problem, as RFC 9457 has it, with a code. */
export interface Problem {
  /** A URN of the code. */
  readonly type: string;
  /** The same for every problem of the code. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** What went wrong this time. */
  readonly detail: string;
  /** For programs. */
  readonly code: ErrorCode;
}

/**
 * Describes an error to a caller. One that was not raised on purpose gives away nothing but that it happened.
 *
 * @param error anything that was thrown
 */
export function toProblem(error: unknown): Problem {
  const known = error instanceof ClipEError
    ? error
    : new ClipEError("internal", "The server failed at this request; its log says more");
  return {
    type: `urn:clip-e:problem:${known.code}`,
    title: ERROR_CODES[known.code],
    status: STATUS[known.code],
    detail: known.message,
    code: known.code,
  };
}

/** What callers learn of some codes beside the problem. */
const HEADERS: Readonly<Partial<Record<ErrorCode, Readonly<Record<string, string>>>>> = {
  // RFC 6750, 3: the scheme is followed by at least one parameter.
  "unauthorized": { "WWW-Authenticate": 'Bearer realm="CLIP-E"' },
  "rate-limited": { "Retry-After": "60" },
  "queue-full": { "Retry-After": "1" },
};

/**
 * Answers a request with a problem.
 *
 * @param c the request's context
 * @param error anything that was thrown
 * @param headers more headers
 */
export function problemResponse(
  c: Context<AppEnv>,
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const problem = toProblem(error);
  c.set("code", problem.code);
  return c.body(JSON.stringify(problem), STATUS[problem.code], {
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
    ...HEADERS[problem.code],
    ...headers,
  });
}
