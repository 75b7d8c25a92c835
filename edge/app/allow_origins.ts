/**
 * Cross-origin requests (the Fetch standard's CORS protocol): whose pages may call.
 */

import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";

/** A scheme and a host, perhaps with a port, as browsers write it: in lower case, without a path. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\sA-Z]+$/;

/**
 * Lets pages call. A preflight is answered here: browsers send none of a page's own headers with it, tokens neither.
 *
 * @param origins one or several, or `*`
 * @throws {TypeError} when one is no origin, and so would never match
 */
export function allowOrigins(origins: string | readonly string[]): MiddlewareHandler {
  const list = checkOrigins(typeof origins === "string" ? [origins] : origins);
  return cors({
    origin: list.includes("*") ? "*" : [...list],
    allowMethods: ["GET", "HEAD", "POST"],
    exposeHeaders: ["Server-Timing", "Retry-After", "ETag", "Content-Range"],
    // Two hours, the longest that browsers keep it: one preflight for many pictures.
    maxAge: 7200,
  });
}

/**
 * Checks origins.
 *
 * @param origins each an origin or `*`
 * @returns them
 * @throws {TypeError} naming one that is no origin
 */
export function checkOrigins(origins: readonly string[]): readonly string[] {
  const wrong = origins.find((origin) => origin !== "*" && !ORIGIN.test(origin));
  if (wrong === undefined) return origins;
  throw new TypeError(
    `Cannot allow pages of ${JSON.stringify(wrong)}: an origin is like https://example.com, ` +
      "in lower case and without a path",
  );
}
