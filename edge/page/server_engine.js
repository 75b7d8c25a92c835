// @ts-check
/// <reference lib="dom" />
/**
 * The server as an engine: `./v1/classify`.
 *
 * @module
 */

import { call } from "./call.js";
import { milliseconds } from "./formats.js";
import { createLanes } from "./lanes.js";
import { Problem, problemOf } from "./problem.js";
import { retryAsAsked } from "./retry_after.js";

/** @import { Answer, Engine, Model } from "./engine.js" */

/** Requests under way at once: enough to hide the network, few enough for a small server. */
const LANES = 2;

/**
 * @returns {Engine}
 */
export function createServerEngine() {
  let model = readModel();
  const lanes = createLanes(LANES);
  return {
    id: "server",
    model: () => model,
    classify: (file, options, { signal, note, wait }) =>
      // A picture that the server puts off keeps its lane: the others would fare no better.
      lanes(() =>
        retryAsAsked(wait, async () => {
          signal.throwIfAborted();
          note("Looking at it …");
          const start = performance.now();
          const response = await send(file, classifyPath(options), signal, note);
          /** @type {Answer & { title?: string, detail?: string, code?: string }} */
          const body = (await response.json().catch(() => null)) ?? {};
          if (!response.ok || !Array.isArray(body.predictions)) throw problemOf(response, body);
          const times = serverTimes(response.headers.get("Server-Timing") ?? "");
          times.push(`${milliseconds(performance.now() - start)} there and back`);
          // Another bundle may have been deployed since the page was opened.
          if ((await model)?.bundle !== body.model.bundle) model = readModel();
          return { answer: body, model: await model, times, options, engine: "server" };
        })
      ),
  };
}

/**
 * The address of a call, relative to the page.
 *
 * @param {{ method: string, taxonomies?: readonly string[] }} options
 */
export function classifyPath({ method, taxonomies = [] }) {
  const query = new URLSearchParams(taxonomies.map((id) => ["taxonomy", id]));
  if (method !== "auto") query.set("method", method);
  return `./v1/classify${query.size > 0 ? `?${query}` : ""}`;
}

/**
 * @param {File} file
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {(line: string) => void} note
 */
async function send(file, path, signal, note) {
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  try {
    return await call(
      path,
      { method: "POST", headers, body: file, signal },
      () => note("Waiting for the token …"),
    );
  } catch {
    signal.throwIfAborted();
    throw new Problem(
      "The picture was not classified: the file could not be read, or the server did not answer. " +
        "Check the connection, then try again.",
    );
  }
}

/**
 * What the service says of its model, or nothing where it cannot say: the page then shows ids.
 *
 * @returns {Promise<Model | undefined>}
 */
async function readModel() {
  try {
    const response = await call("./v1/model", {});
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The entries of a Server-Timing header as text, `encode 35 ms`.
 *
 * @param {string} header
 * @returns {string[]}
 */
function serverTimes(header) {
  const entries = header.matchAll(/([\w-]+)\s*;[^,]*?\bdur=([\d.]+)/g);
  return Array.from(entries, ([, name, duration]) => `${name} ${milliseconds(Number(duration))}`);
}
