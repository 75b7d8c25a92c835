/**
 * What a log may hold of a request: nothing of its pictures, its query or its token.
 */

import type { ErrorCode } from "@clip-e/shared";
import type { Hono, MiddlewareHandler } from "hono";

/** One request that was answered. */
export interface RequestRecord {
  /** GET, POST, and so on. */
  readonly method: string;
  /** One of the app's own paths, with `*` at the end of one that has files below it; `*` for any other. */
  readonly path: string;
  /** The HTTP status. */
  readonly status: number;
  /** From the request's arrival until its answer was ready; left out where the clock stands still while code runs. */
  readonly milliseconds?: number;
  /** How many pictures the request carried, as far as they were read. */
  readonly pictures: number;
  /** What went wrong, if the whole request did. */
  readonly code?: ErrorCode;
}

/** What the app's handlers note for the record. */
export interface AppEnv {
  /** Hono's name for it. */
  readonly Variables: { pictures?: number; code?: ErrorCode };
}

/**
 * Tells of every request.
 *
 * @param app whose paths are named
 * @param onRequest hears of it
 * @param onError hears when `onRequest` throws, which changes no answer
 */
export function recordRequests(
  app: Hono<AppEnv>,
  onRequest: (record: RequestRecord) => void,
  onError: (error: unknown) => void,
): MiddlewareHandler<AppEnv> {
  let paths: readonly string[] | undefined;
  return async (c, next) => {
    const start = performance.now();
    await next();
    const milliseconds = performance.now() - start;
    paths ??= app.routes.filter(({ method }) => method !== "ALL").map(({ path }) => path);
    const { path, method } = c.req;
    const isOwn = (own: string) =>
      own.endsWith("/*") ? path.startsWith(own.slice(0, -1)) : path === own;
    const code = c.get("code");
    try {
      onRequest({
        method,
        path: paths.find(isOwn) ?? "*",
        status: c.res.status,
        ...(milliseconds > 0 && { milliseconds }),
        pictures: c.get("pictures") ?? 0,
        ...(code && { code }),
      });
    } catch (error) {
      onError(error);
    }
  };
}
