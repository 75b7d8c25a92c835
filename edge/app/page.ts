/**
 * The page and the API's documentation, served from the app's own files.
 */

import type { BundleSource } from "@clip-e/shared";
import type { Context, Hono } from "hono";
import type { AppEnv } from "./request_record.ts";

/** Where the page's files are: those of `edge/page`, and `swagger-ui.css` and `swagger-ui-bundle.js`. */
export type PageSource = Pick<BundleSource, "read" | "stream">;

/** Path, and file. */
const FILES: Readonly<Record<string, string>> = {
  "/": "index.html",
  "/favicon.svg": "favicon.svg",
  "/docs": "docs.html",
  "/docs/docs.css": "docs.css",
  "/docs/docs.js": "docs.js",
  "/docs/swagger-ui.css": "swagger-ui.css",
  "/docs/swagger-ui-bundle.js": "swagger-ui-bundle.js",
};

/** Where the page's own scripts and styles are, and what they are called. */
const FOLDER = "/page/";
const OWN = /^[a-z_]+\.(js|css)$/;

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
  const answer = async (c: Context<AppEnv>, name: string) => {
    const bytes = await source.read(name);
    if (!bytes) return c.notFound();
    const extension = name.slice(name.lastIndexOf(".") + 1);
    return c.body(bytes, 200, {
      "Content-Type": TYPES[extension],
      "Cache-Control": "no-cache",
    });
  };
  for (const [path, name] of Object.entries(FILES)) app.get(path, (c) => answer(c, name));
  app.get(`${FOLDER}*`, (c) => {
    const name = c.req.path.slice(FOLDER.length);
    return OWN.test(name) ? answer(c, name) : c.notFound();
  });
}
