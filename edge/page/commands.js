// @ts-check
/// <reference lib="dom" />
/**
 * The same call without the page: for a terminal, or for a page of one's own.
 *
 * @module
 */

import { classifyPath } from "./server_engine.js";
import { hasToken } from "./token.js";

/** @import { AskOptions } from "./engine.js" */

/** As it stands in code. */
const PACKAGE = '"@clip-e/edge/browser"';

/**
 * The line of curl that sends exactly what the page sends.
 *
 * @param {readonly { name: string, type: string }[]} files one, or several that are
 *   sent one after the other
 * @param {AskOptions} options
 */
export function curlOf(files, options) {
  const address = quote(new URL(classifyPath(options), document.baseURI).href);
  const token = hasToken() ? ' -H "Authorization: Bearer $TOKEN"' : "";
  const types = new Set(files.map(({ type }) => type || "application/octet-stream"));
  // The bytes decide; the header is only sent along.
  const type = types.size === 1 ? ` -H 'Content-Type: ${[...types][0]}'` : "";
  if (files.length === 1) {
    return `curl --data-binary ${quote(`@${files[0].name}`)}${type}${token} ${address}`;
  }
  const names = files.map(({ name }) => quote(name)).join(" ");
  return `for picture in ${names}; do\n` +
    `  curl --data-binary "@$picture"${type}${token} ${address}\n` +
    "done";
}

/**
 * The lines of TypeScript that compute exactly what the page computes in the browser.
 *
 * @param {string} digest of the bundle
 * @param {AskOptions} options
 */
export function typescriptOf(digest, { method }) {
  const bundle = JSON.stringify(new URL("./v1/bundle/", document.baseURI).href);
  const headers = hasToken() ? ", headers: { Authorization: `Bearer ${token}` }" : "";
  const chosen = method === "auto" ? "" : `, { method: "${method}" }`;
  return `import { createBrowserClassifier } from ${PACKAGE};\n` +
    `const classifier = await createBrowserClassifier({ bundle: ${bundle}, ` +
    `digest: "${digest}"${headers} });\n` +
    "const { predictions } = await classifier.classify(" +
    `new Uint8Array(await file.arrayBuffer())${chosen});`;
}

/**
 * A word as a POSIX shell reads it.
 *
 * @param {string} word
 */
function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
