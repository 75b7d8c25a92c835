// @ts-check
/// <reference lib="dom" />
/**
 * This browser as an engine: the same decoders, preprocessing and runtime as on the server, in a
 * worker. Pictures stay on the device.
 *
 * @module
 */

import { milliseconds } from "./formats.js";
import { Problem } from "./problem.js";
import { authorization } from "./token.js";

/** @import { Engine } from "./engine.js" */
/** @import { FileProgress } from "./download_sum.js" */
/** @typedef {typeof import("../adapter/browser/mod.ts")} BrowserModule */
/** @typedef {import("../classifier.ts").Classifier} Classifier */

/**
 * Opens the server's bundle in this browser.
 *
 * @param {{
 *   digest: string | undefined,
 *   onProgress: (progress: FileProgress) => void,
 *   signal: AbortSignal,
 * }} options the digest of the bundle that the server serves: the same bytes must arrive here
 * @returns {Promise<Engine>}
 * @throws {Problem} with the reason
 */
export async function openBrowserEngine({ digest, onProgress, signal }) {
  try {
    return engineOf(await open());
  } catch (error) {
    signal.throwIfAborted();
    throw toProblem(error, true);
  }

  async function open() {
    const address = new URL("./browser/classifier.js", document.baseURI).href;
    /** @type {BrowserModule} */
    const { createBrowserClassifier } = await import(address);
    return await createBrowserClassifier({
      bundle: new URL("./v1/bundle/", document.baseURI),
      worker: new URL("./browser/worker.js", document.baseURI),
      ...(digest !== undefined && { digest }),
      headers: authorization(),
      onProgress,
      warn: (line) => console.info(line),
      signal,
    });
  }
}

/**
 * @param {Classifier} classifier
 * @returns {Engine}
 */
function engineOf(classifier) {
  return {
    id: "browser",
    model: () => Promise.resolve(classifier.model),
    classify: async (file, options, { signal, note }) => {
      note("Looking at it …");
      const bytes = await file.arrayBuffer().catch(() => {
        throw new Problem("The file could not be read. Choose it again.", { mayPass: false });
      });
      const done = classifier.classify(new Uint8Array(bytes), options);
      const { image, predictions, timings } = await done.catch((error) => {
        throw toProblem(error, false);
      });
      signal.throwIfAborted();
      const { model } = classifier;
      const times = Object.entries(timings).map(([name, time]) => `${name} ${milliseconds(time)}`);
      const answer = { model: { name: model.name, bundle: model.bundle }, image, predictions };
      return { answer, model, times, options, engine: "browser" };
    },
  };
}

/**
 * @param {unknown} error
 * @param {boolean} isOpening whether the model was being opened: another try may then do better, as
 *   it may where nobody foresaw the error
 * @returns {Problem}
 */
function toProblem(error, isOpening) {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const { message, code } = error;
    return new Problem(
      isOpening ? `The model cannot be opened in this browser. ${message}` : message,
      { code, mayPass: isOpening || code === "internal" },
    );
  }
  // Browsers say each in its own words that a script could not be loaded.
  console.warn(error);
  return new Problem(
    "What computes here could not be loaded. Check the connection, then try again.",
  );
}
