/**
 * Answers that were given before. A body holds no time and nothing of its caller, so the same picture, asked the same of
 * the same model, has the same answer.
 */

import { sha256 } from "@clip-e/shared";
import type { ModelInfo } from "../model_info.ts";
import type { ClassifyOptions } from "../plan.ts";

/** Keeps answers: in memory (`createMemoryCache`), or a Worker's `caches.default` with a `ttl`. */
export interface AnswerCache {
  /**
   * Looks an answer up.
   *
   * @param key a GET request, whose whole URL says everything that the answer depends on
   */
  match(key: Request): Promise<Response | undefined>;
  /**
   * Keeps an answer. It is awaited before the caller is answered: what takes long had better go on by itself.
   *
   * @param key as for `match`
   * @param response whose `Cache-Control` is `max-age=ttl`
   */
  put(key: Request, response: Response): Promise<void>;
  /** How long an answer is good for, in seconds. */
  readonly ttl: number;
}

/** To be raised when the same model answers the same otherwise: caches outlive the code. */
const ANSWERS = 1;

/** What an answer depends on. */
export interface Question {
  /** Of the request, as it came. */
  readonly url: string;
  /** The app's own, such as `/v1/classify`. */
  readonly path: string;
  /** All that it says of itself: the bundle's digest, the encoder that runs, the parts that failed. */
  readonly model: ModelInfo;
  /** Of the request. */
  readonly query: ClassifyOptions;
  /** The file. */
  readonly picture: Uint8Array<ArrayBuffer>;
}

/**
 * Names a question. The host stays the request's own, as Workers' caches want it.
 *
 * @param question whatever the answer depends on
 */
export async function answerKey(question: Question): Promise<Request> {
  const { url, path, model, query, picture } = question;
  const { taxonomies, labels, method = "auto", top } = query;
  const asked = { taxonomies: taxonomies && [...new Set(taxonomies)], labels, method, top };
  const text = JSON.stringify([ANSWERS, model, asked, await sha256(picture)]);
  const digest = await sha256(new TextEncoder().encode(text));
  return new Request(new URL(`${path}/${digest}`, url));
}

/**
 * Answers from the cache, or computes the answer and keeps it. What fails in the cache changes no answer.
 *
 * @param cache of answers
 * @param key of the question
 * @param compute makes the body, JSON; what it throws is not kept
 * @param onError hears what failed
 */
export async function recall(
  cache: AnswerCache,
  key: Request,
  compute: () => Promise<string>,
  onError: (error: unknown) => void,
): Promise<{ readonly body: string; readonly isHit: boolean }> {
  try {
    const known = await cache.match(key);
    if (known?.ok) return { body: await known.text(), isHit: true };
  } catch (error) {
    onError(error);
  }
  const body = await compute();
  const headers = {
    "Content-Type": "application/json",
    "Cache-Control": `max-age=${cache.ttl}`,
  };
  try {
    await cache.put(key, new Response(body, { headers }));
  } catch (error) {
    onError(error);
  }
  return { body, isHit: false };
}
