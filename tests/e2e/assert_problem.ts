/**
 * What every error must look like from outside, in one place.
 */

import { ERROR_CODES, type ErrorCode } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { Problem } from "../../edge/app/problem.ts";

/** Traces of the inside: stack frames, addresses and paths of files, addresses of modules. */
const INSIDE = /\bat .+:\d+:\d+|file:|node_modules|\/\w+\/\w+\/|\.(ts|js|wasm|onnx|safetensors)\b/;

/**
 * Asserts that an answer is a problem as RFC 9457 has it, with a code of ours, and gives nothing of the inside away.
 *
 * @param response an answer to a request
 * @param status which it must have
 * @param code which it must have
 * @returns what it says for people
 */
export async function assertProblem(
  response: Response,
  status: number,
  code: ErrorCode,
): Promise<string> {
  const text = await response.text();
  const { headers } = response;
  assert.equal(headers.get("Content-Type"), "application/problem+json", text);
  assert.equal(response.status, status, text);
  return assertProblemObject(JSON.parse(text), status, code);
}

/**
 * Asserts the same of a problem that is part of an answer.
 *
 * @param problem an object
 * @param status which it must name
 * @param code which it must have
 * @returns what it says for people
 */
export function assertProblemObject(problem: unknown, status: number, code: ErrorCode): string {
  const { detail } = problem as Problem;
  assert.deepEqual(problem, {
    type: `urn:clip-e:problem:${code}`,
    title: ERROR_CODES[code],
    status,
    detail,
    code,
  });
  assert.match(detail, /^[A-Z/].{10,}/s, "the detail is a sentence");
  // The caller's own path comes back, whatever it looks like.
  if (code !== "not-found") assert.doesNotMatch(detail, INSIDE);
  return detail;
}
