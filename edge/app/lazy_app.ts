/**
 * An app that its first request opens: where instances come and go with the load, one that nobody calls reads no bundle.
 */

import { ClipEError } from "@clip-e/shared";
import type { EdgeApp } from "./app.ts";
import { toProblem } from "./problem.ts";

/**
 * Makes an app of one that is yet to be opened. Requests that come meanwhile wait for it. When it cannot be opened they are
 * answered 503, and the next request tries again. `/healthz` does not wait for it.
 *
 * @param open the app
 * @param onError hears why it could not be opened
 */
export function createLazyApp(
  open: () => Promise<EdgeApp>,
  onError: (error: unknown) => void = () => {},
): EdgeApp {
  let opening: Promise<EdgeApp> | undefined;
  let opened: EdgeApp | undefined;

  /** One attempt, however many wait for it. */
  async function attempt(): Promise<EdgeApp> {
    try {
      // Later, so that `opening` is set before it is cleared again, even where `open` throws at once.
      const app = await Promise.resolve().then(open);
      opened = app;
      return app;
    } catch (error) {
      opening = undefined;
      onError(error);
      throw error;
    }
  }

  return {
    async fetch(request) {
      if (opened) return await opened.fetch(request);
      if (isHealthCheck(request)) return new Response("ok");
      let app: EdgeApp;
      try {
        app = await (opening ??= attempt());
      } catch (error) {
        return unopened(error);
      }
      return await app.fetch(request);
    },
  };
}

function isHealthCheck({ method, url }: Request): boolean {
  return ["GET", "HEAD"].includes(method) && new URL(url).pathname === "/healthz";
}

/** What callers are told: the reason may name the server's files. */
function unopened(error: unknown): Response {
  const code = error instanceof ClipEError ? error.code : "internal";
  const problem = toProblem(
    new ClipEError(code, "The classifier cannot be opened; the server's log says why"),
  );
  return Response.json({ ...problem, status: 503 }, {
    status: 503,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      "Retry-After": "1",
    },
  });
}
