/**
 * The one error that the client raises: the server's refusal, or why there is no answer of it.
 */

import type { ErrorCode } from "@clip-e/shared";
import type { Problem } from "../app/problem.ts";

/** Why there is no answer: the network, the time, or something that is not this API. */
export type TransportCode = "unreachable" | "timeout" | "unexpected-answer";

/** A stable name of what went wrong; a newer server may have more. */
export type ApiErrorCode = ErrorCode | TransportCode | (string & Record<never, never>);

/** An error with a stable code. */
export class ApiError extends Error {
  /** The class's name, as error reports print it. */
  override readonly name = "ApiError";
  /** What went wrong, for programs. */
  readonly code: ApiErrorCode;
  /** The HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** What the server said, where it is this API's. */
  readonly problem: Problem | undefined;

  /**
   * Makes the error.
   *
   * @param code what went wrong, for programs
   * @param message what went wrong, for people
   * @param details the answer, and the cause
   */
  constructor(
    code: ApiErrorCode,
    message: string,
    details: { status?: number; problem?: Problem; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.problem = details.problem;
  }
}

/**
 * Reads an answer that is no success.
 *
 * @param response whose body has not been read
 * @param url shown
 */
export async function readProblem(response: Response, url: string): Promise<ApiError> {
  const { status, statusText } = response;
  const json: unknown = await response.json().catch(() => undefined);
  if (isProblem(json)) return new ApiError(json.code, json.detail, { status, problem: json });
  const answer = `${status} ${statusText}`.trimEnd();
  return new ApiError(
    "unexpected-answer",
    `${url} answered ${answer}, and not as this API does: is the address right?`,
    { status },
  );
}

function isProblem(json: unknown): json is Problem {
  return typeof json === "object" && json !== null &&
    "code" in json && typeof json.code === "string" &&
    "detail" in json && typeof json.detail === "string";
}
