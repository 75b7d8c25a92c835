// @ts-check
/// <reference lib="dom" />
/**
 * A picture's card: the picture, what it evokes, and one click away where that comes from.
 *
 * @module
 */

import { showPredictions, summarize } from "./bars.js";
import { curlOf, typescriptOf } from "./commands.js";
import { copyButton, downloadButton } from "./copy_button.js";
import { disclosures } from "./disclosures.js";
import { button, code, element, quiet } from "./element.js";
import { Problem } from "./problem.js";
import { provenanceOf } from "./provenance.js";
import { countDown } from "./retry_after.js";
import { say } from "./say.js";

/** @import { AskOptions, EngineId, Listener, Result } from "./engine.js" */
/**
 * @typedef {{
 *   classify: (
 *     file: File,
 *     id: EngineId,
 *     options: AskOptions,
 *     listener: Listener,
 *   ) => Promise<Result>,
 *   chosen: () => EngineId,
 *   isOffered: (id: EngineId) => boolean,
 *   options: () => AskOptions,
 *   onChange: () => void,
 * }} Desk what a card asks, and tells when its state has changed
 * @typedef {{
 *   root: HTMLElement,
 *   file: File,
 *   engine: () => EngineId,
 *   result: () => Result | undefined,
 *   isBusy: () => boolean,
 *   isForeign: () => boolean,
 *   look: (id: EngineId) => Promise<void>,
 *   offerOther: () => void,
 *   close: () => void,
 * }} Card `isForeign` where it is another engine's, and may be asked of the chosen one
 */

/** @type {Readonly<Record<EngineId, string>>} */
const AGAIN = { server: "Again on the server", browser: "Again in this browser" };
/** @type {Readonly<Record<EngineId, string>>} */
const INSTEAD = { server: "Send it to the server", browser: "Try in this browser" };

/**
 * @param {File} file
 * @param {Desk} desk
 * @returns {Card}
 */
export function createCard(file, desk) {
  const findings = element("div", { className: "findings" });
  const root = element("article", { className: "card", tabIndex: -1 }, photo(file), findings);
  root.ariaLabel = file.name;
  let engine = desk.chosen();
  let abort = new AbortController();
  /** @type {Result | undefined} */
  let result;
  /** Whether the last engine had no answer, and another may. */
  let failed = false;
  const other = element("span", { className: "other" });

  return {
    root,
    file,
    engine: () => engine,
    result: () => result,
    isBusy: () => root.ariaBusy === "true",
    isForeign: () => engine !== desk.chosen() && other.hasChildNodes(),
    look,
    offerOther,
    close: () => abort.abort(),
  };

  /**
   * Asks an engine, and shows what comes of it unless another question came after.
   *
   * @param {EngineId} id
   */
  async function look(id) {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    engine = id;
    root.ariaBusy = "true";
    const line = element("p", { className: "quiet wait", textContent: "Waiting for its turn …" });
    // An earlier answer stays in sight until there is another.
    const rest = result ? [...findings.children].filter(isAnswer) : [];
    const show = (/** @type {Node} */ one) => fill(one, ...rest);
    show(line);
    offerOther();
    desk.onChange();
    try {
      const found = await desk.classify(file, id, desk.options(), {
        signal,
        note: (text) => {
          if (!line.isConnected) show(line);
          line.textContent = text;
        },
        wait: (problem, seconds) => {
          const { box, done } = countdown(problem, seconds, signal);
          show(box);
          return done;
        },
      });
      if (!signal.aborted) showResult(found);
    } catch (error) {
      if (!signal.aborted) showProblem(error);
    }
    if (!signal.aborted) desk.onChange();
  }

  /**
   * Replaces what the card says under its name; where that had the focus, the card gets it.
   *
   * @param {Node[]} content
   */
  function fill(...content) {
    const hadFocus = findings.contains(document.activeElement);
    findings.replaceChildren(element("h2", { textContent: file.name }), ...content);
    if (hadFocus) root.focus();
  }

  /** @param {Result} found */
  function showResult(found) {
    result = found;
    failed = false;
    root.ariaBusy = "false";
    const { answer, model, times } = found;
    const { width, height } = answer.image;
    fill(
      ...showPredictions(answer.predictions, model),
      factLine([`${width} × ${height}`, answer.model.name, ...times]),
      foot(file, found, other),
    );
    offerOther();
    say(`${file.name}. ${summarize(answer.predictions, model)}`);
  }

  /** @param {unknown} error */
  function showProblem(error) {
    result = undefined;
    root.ariaBusy = "false";
    const problem = error instanceof Problem
      ? error
      : new Problem("Something went wrong in this page. Load it again.");
    const { message, status, code } = problem;
    failed = problem.mayPass;
    /** @type {HTMLElement[]} */
    const parts = [element("p", { className: "error", textContent: message })];
    if (code) parts.push(quiet(status > 0 ? `${status} · ${code}` : code));
    const actions = element("div", { className: "actions" }, other);
    if (problem.mayPass) actions.prepend(button("Try again", () => look(engine)));
    fill(...parts, actions);
    offerOther();
    say(`${file.name}: ${message}`);
  }

  /** Offers the other engine, where that is now chosen or this one has failed. */
  function offerOther() {
    const id = engine === "server" ? "browser" : "server";
    const isWanted = desk.chosen() === id ? result || failed : engine === "browser" && failed;
    const offer = isWanted && desk.isOffered(id) && root.ariaBusy !== "true";
    const label = (result ? AGAIN : INSTEAD)[id];
    other.replaceChildren(...(offer ? [button(label, () => look(id))] : []));
  }
}

/**
 * Facts with dots between them; lines break only behind a dot.
 *
 * @param {readonly string[]} facts
 */
function factLine(facts) {
  const line = element("p", { className: "quiet facts" });
  for (const [place, fact] of facts.entries()) {
    const dot = place < facts.length - 1 ? " ·" : "";
    line.append(element("span", { textContent: fact + dot }), " ");
  }
  return line;
}

/** @param {Element} one */
function isAnswer(one) {
  return !one.matches("h2, .wait, .countdown");
}

/**
 * The picture as the browser shows it; nothing where it cannot.
 *
 * @param {File} file
 */
function photo(file) {
  const url = URL.createObjectURL(file);
  const image = element("img", { alt: `Preview of ${file.name}`, src: url });
  const release = () => URL.revokeObjectURL(url);
  image.addEventListener("load", release);
  image.addEventListener("error", () => {
    release();
    image.remove();
  });
  return image;
}

/**
 * Why a picture has to wait, how long still, and a way around.
 *
 * @param {Problem} problem
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
function countdown(problem, seconds, signal) {
  const left = element("span");
  const { done, hurry } = countDown(seconds, signal, (now) => left.textContent = `${now} s`);
  const box = element(
    "div",
    { className: "countdown" },
    element("p", { className: "error", textContent: problem.message }),
    element("p", { className: "quiet" }, "Trying again in ", left),
    button("Try now", hurry),
  );
  say(`${problem.message} Trying again in ${seconds} s.`);
  return { box, done };
}

/**
 * What is one click away.
 *
 * @param {File} file
 * @param {Result} result
 * @param {HTMLElement} other
 */
function foot(file, result, other) {
  const json = JSON.stringify(result.answer, null, 2);
  const { command, name } = callOf(file, result);
  return disclosures(
    [
      ["Provenance", () => [provenanceOf(result)]],
      ["JSON", () => [
        code(json, "Answer as JSON"),
        copyButton("Copy the JSON", () => json, "Copy"),
        downloadButton("Download", `${file.name}.json`, () => json),
      ]],
      ["The call", () => [
        code(command, name),
        copyButton("Copy the call", () => command, "Copy"),
      ]],
    ],
    other,
  );
}

/**
 * The same call without the page.
 *
 * @param {File} file
 * @param {Result} result
 */
function callOf(file, { engine, options, answer }) {
  return engine === "server"
    ? { name: "The call by curl", command: curlOf([file], options) }
    : { name: "The call in TypeScript", command: typescriptOf(answer.model.bundle, options) };
}
