/**
 * A caller of the API who trusts nothing: answers are read through the published schemas, and must hold nothing else.
 */

import assert from "node:assert/strict";
import type { z } from "zod";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import type { Classification } from "../../edge/classifier.ts";
import type { ModelInfo } from "../../edge/model_info.ts";
import type { Score } from "../../edge/score.ts";

/** An answer to one picture. */
export interface ClassifyAnswer extends Pick<Classification, "image" | "predictions"> {
  /** Which model answered. */
  readonly model: Pick<ModelInfo, "name" | "bundle">;
}

/**
 * Posts one picture as the request's body.
 *
 * @param url of the server
 * @param picture a file
 * @param query of the request, such as `top=1`
 */
export async function classifyOverHttp(
  url: string,
  picture: Uint8Array<ArrayBuffer>,
  query = "",
): Promise<ClassifyAnswer> {
  const response = await fetch(`${url}/v1/classify?${query}`, { method: "POST", body: picture });
  const answer: unknown = await readAnswer(response, SCHEMAS.ClassifyAnswer);
  assert.ok(typeof answer === "object" && answer !== null && "predictions" in answer);
  return answer as ClassifyAnswer;
}

/**
 * Reads an answer that must be a success.
 *
 * @param response of the server
 * @param schema which it must fit, whole
 */
export async function readAnswer<T extends z.ZodType>(
  response: Response,
  schema: T,
): Promise<z.infer<T>> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(response.headers.get("Content-Type") ?? "", /^application\/json\b/);
  const json: unknown = JSON.parse(text);
  const answer = schema.parse(json);
  assert.deepEqual(answer, json, "the answer holds what its schema does not know");
  return answer;
}

/** Scores by label. */
export function scoresByLabel(scores: readonly Score[]): Map<string, number> {
  return new Map(scores.map(({ label, score }) => [label, score]));
}
