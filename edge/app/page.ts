/**
 * The page and the API's documentation, served from the app's own files.
 */

import type { Hono } from "hono";
import type { AppEnv } from "./request_record.ts";

/** Where the page's files are: those of `edge/page`, and `swagger-ui.css` and `swagger-ui-bundle.js`. */
export interface PageSource {
  /**
   * Reads one file.
   *
   * @param name without a folder
   * @returns its bytes, or `undefined` where there is no such file
   */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Path, and file. */
const FILES: Readonly<Record<string, string>> = {
  "/": "index.html",
  "/page.css": "page.css",
  "/page.js": "page.js",
  "/favicon.svg": "favicon.svg",
  "/docs": "docs.html",
  "/docs/docs.css": "docs.css",
  "/docs/docs.js": "docs.js",
  "/docs/swagger-ui.css": "swagger-ui.css",
  "/docs/swagger-ui-bundle.js": "swagger-ui-bundle.js",
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/**
 * Adds the page's routes.
 *
 * @param app to add to
 * @param source where the files are
 */
export function servePage(app: Hono<AppEnv>, source: PageSource): void {
  for (const [path, name] of Object.entries(FILES)) {
    app.get(path, async (c) => {
      const bytes = await source.read(name);
      if (!bytes) return c.notFound();
      const extension = name.slice(name.lastIndexOf(".") + 1);
      return c.body(bytes, 200, {
        "Content-Type": TYPES[extension],
        "Cache-Control": "no-cache",
      });
    });
  }
}
