// @ts-check
/**
 * What computes: the server or this browser, behind one interface.
 *
 * @module
 */

/**
 * @typedef {import("../model_info.ts").ModelInfo} Model
 * @typedef {import("../score.ts").Prediction} Prediction
 * @typedef {"server" | "browser"} EngineId
 * @typedef {{ method: "auto" | "all" }} AskOptions
 * @typedef {{
 *   model: { name: string, bundle: string },
 *   image: { width: number, height: number },
 *   predictions: readonly Prediction[],
 * }} Answer as `POST /v1/classify` gives it
 * @typedef {{
 *   answer: Answer,
 *   model: Model | undefined,
 *   times: string[],
 *   options: AskOptions,
 *   engine: EngineId,
 * }} Result an answer, and what it came of
 * @typedef {{
 *   signal: AbortSignal,
 *   note: (line: string) => void,
 *   wait: (problem: Problem, seconds: number) => Promise<void>,
 * }} Listener `note` hears what the picture waits for; `wait` lets the seconds pass that a server
 *   asked for
 * @typedef {{
 *   id: EngineId,
 *   model: () => Promise<Model | undefined>,
 *   classify: (file: File, options: AskOptions, listener: Listener) => Promise<Result>,
 * }} Engine
 */

import { Problem } from "./problem.js";

/**
 * Refuses what says of itself that it is no picture, before a byte of it goes anywhere.
 *
 * @param {File} file
 * @throws {Problem}
 */
export function refuseOthers({ type, size }) {
  if (size === 0) throw new Problem("This file is empty.", { mayPass: false });
  if (type === "" || type.startsWith("image/")) return;
  throw new Problem(`This file is no picture (${type}). Try a JPEG, PNG or WebP.`, {
    mayPass: false,
  });
}
