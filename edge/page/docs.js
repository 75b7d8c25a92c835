// @ts-check
/// <reference lib="dom" />
/**
 * The page at `./docs`: Swagger UI over `./openapi.json`, under the same Content-Security-Policy as
 * the rest. It exists because Swagger UI's own initializer points elsewhere and asks a public
 * validator about the document, which this service does not.
 *
 * @module
 */

/** @typedef {(options: Record<string, unknown>) => unknown} SwaggerUI */

const { SwaggerUIBundle } = /** @type {{ SwaggerUIBundle?: SwaggerUI }} */ (globalThis);

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle?.({
  dom_id: "#docs",
  url: "./openapi.json",
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
});
