/**
 * A limit on how often callers ask. Who counts as one, and where the counts are kept, is for whoever runs the app to say.
 */

import { ClipEError } from "@clip-e/shared";
import type { MiddlewareHandler } from "hono";

/**
 * Lets requests on that may go on.
 *
 * @param mayGoOn counts a request
 */
export function limitRate(mayGoOn: (request: Request) => Promise<boolean>): MiddlewareHandler {
  return async (c, next) => {
    if (await mayGoOn(c.req.raw)) return await next();
    throw new ClipEError("rate-limited", "Too many requests came: try again in a minute");
  };
}
