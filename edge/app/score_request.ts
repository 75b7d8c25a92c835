/**
 * The body of `/v1/score`.
 */

import { z } from "@hono/zod-openapi";
import { ClipEError } from "@clip-e/shared";
import type { ModelInfo } from "../model_info.ts";

/** What the body has to be. */
export const SCORE_REQUEST = z.object({
  embeddingSpace: z.string().openapi({
    description:
      "The id of the space that the embedding is of, as /v1/embed and /v1/model state it",
  }),
  embedding: z.array(z.number()).openapi({
    description: "As /v1/embed gives it, not normalised",
  }),
}).openapi("ScoreRequest");

/**
 * Reads the body.
 *
 * @param bytes JSON
 * @param model whose space the embedding has to be of
 * @returns the embedding
 * @throws {ClipEError} `malformed-json` or `invalid-embedding`
 */
export function readScoreRequest(
  bytes: Uint8Array,
  { embeddingSpace }: Pick<ModelInfo, "embeddingSpace">,
): Float32Array<ArrayBuffer> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ClipEError("malformed-json", "The body is not JSON", { cause });
  }
  const result = SCORE_REQUEST.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
    throw new ClipEError(
      "malformed-json",
      `The body is not what is asked for: ${where}${issue.message}`,
    );
  }
  const { embedding, embeddingSpace: space } = result.data;
  if (space !== embeddingSpace.id) {
    throw new ClipEError(
      "invalid-embedding",
      `The embedding is of ${
        JSON.stringify(space.slice(0, 80))
      }, and this model's space is ${embeddingSpace.id}`,
    );
  }
  return Float32Array.from(embedding);
}
