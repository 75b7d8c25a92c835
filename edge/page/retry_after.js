// @ts-check
/// <reference lib="dom" />
/**
 * The patience that a busy server asks for: a countdown that everyone can see, and cut short.
 *
 * @module
 */

import { Problem } from "./problem.js";

/** How often a picture is tried before its problem is shown. */
const ATTEMPTS = 5;

/**
 * Tries, and tries again when the server wants to be asked again (429 or 503 with Retry-After).
 *
 * @template T
 * @param {(problem: Problem, seconds: number) => Promise<void>} wait hears why, and for how long
 * @param {() => Promise<T>} attempt
 * @returns {Promise<T>}
 * @throws {Problem} the last one
 */
export async function retryAsAsked(wait, attempt) {
  for (let left = ATTEMPTS - 1;; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Problem) || error.retryAfter === undefined || left === 0) throw error;
      await wait(error, Math.max(1, error.retryAfter));
    }
  }
}

/**
 * Counts seconds down.
 *
 * @param {number} seconds
 * @param {AbortSignal} signal gives up, with its reason
 * @param {(left: number) => void} onSecond
 * @returns {{ done: Promise<void>, hurry: () => void }} `hurry` ends it early
 */
export function countDown(seconds, signal, onSecond) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const end = performance.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    if (left > 0) onSecond(left);
    else resolve(undefined);
  };
  const timer = setInterval(tick, 250);
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  tick();
  return { done: promise.finally(() => clearInterval(timer)), hurry: () => resolve(undefined) };
}
