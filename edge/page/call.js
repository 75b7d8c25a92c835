// @ts-check
/// <reference lib="dom" />
/**
 * Calls of the service that this page belongs to. Every address is relative, as the app may be
 * mounted below another, and there is no private door: what the page does, anyone can.
 *
 * @module
 */

import { askForToken, authorization } from "./token.js";

/**
 * Sends a request, with the token where the server wants one.
 *
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} init the body
 *   must be one that can be sent again
 * @param {() => void} [onTokenWanted] hears that a person has to give a token first
 * @returns {Promise<Response>}
 */
export async function call(path, init, onTokenWanted) {
  for (;;) {
    const { Authorization: refused, ...rest } = authorization();
    const headers = { ...init.headers, ...rest, ...(refused && { Authorization: refused }) };
    const response = await fetch(path, { ...init, headers });
    if (response.status !== 401) return response;
    onTokenWanted?.();
    await unlessAborted(askForToken(refused), init.signal);
  }
}

/**
 * @param {Promise<void>} promise
 * @param {AbortSignal | null | undefined} signal
 * @returns {Promise<void>}
 */
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve);
  });
}
