// @ts-check
/// <reference lib="dom" />
/**
 * Where pictures are computed: a person's choice between the server and this browser, and what
 * comes of it. What was meant for this browser never goes to the server by itself.
 *
 * @module
 */

import { openBrowserEngine } from "./browser_engine.js";
import { followDownload } from "./download.js";
import { button, element, part } from "./element.js";
import { megabytes } from "./formats.js";
import { backendName } from "./provenance.js";
import { Problem } from "./problem.js";
import { say } from "./say.js";

/** @import { Engine, EngineId } from "./engine.js" */
/** @import { Download, FileProgress, Lengths } from "./download_sum.js" */

const KEY = "clip-e.engine";
const LATER = "The model is fetched with the first picture, which stays on this device.";
const SENT = "Pictures are sent to this server.";
const CANCELLED = "The download was cancelled.";

const choice = part("engine", HTMLFieldSetElement);
const here = part("engine_browser", HTMLInputElement);
const there = part("engine_server", HTMLInputElement);
const note = part("engine_note", HTMLElement);

/**
 * @typedef {{
 *   chosen: () => EngineId,
 *   isOffered: (id: EngineId) => boolean,
 *   open: (id: EngineId) => Promise<Engine>,
 * }} EngineSwitch `open` rejects with a `Problem` when the engine cannot be had, or is no longer
 *   wanted
 */

/**
 * Sets the switch up.
 *
 * @param {Engine} server
 * @param {Promise<Lengths | undefined>} files what browser mode loads; nothing where
 *   it is not offered
 * @param {() => void} onChange hears that something else is chosen, or ready
 * @returns {EngineSwitch}
 */
export function createEngineSwitch(server, files, onChange) {
  /** @type {Promise<Engine> | undefined} */
  let opened;
  /** @type {AbortController | undefined} */
  let underWay;
  let isOffered = false;
  for (const input of [here, there]) input.addEventListener("change", choose);
  // A remembered choice holds from the first moment, and downloads nothing before a picture comes.
  here.checked = remembered() === "browser";
  note.textContent = here.checked ? LATER : SENT;
  files.then((found) => {
    isOffered = found !== undefined;
    choice.hidden = !isOffered;
    if (isOffered || there.checked) return;
    there.checked = true;
    tell(SENT);
  });

  return {
    chosen: () => here.checked ? "browser" : "server",
    isOffered: (id) => id === "server" || isOffered,
    open: (id) => id === "server" ? Promise.resolve(server) : open(),
  };

  function choose() {
    remember(here.checked ? "browser" : "server");
    if (here.checked) {
      open().then(tellReady, () => {}); // the note tells of failures
    } else {
      if (underWay) opened = undefined;
      underWay?.abort(new Problem(CANCELLED));
      underWay = undefined;
      tell(SENT);
    }
    onChange();
  }

  function open() {
    opened ??= download();
    return opened;
  }

  async function download() {
    // Asking for it, be it on a card, is choosing it.
    here.checked = true;
    remember("browser");
    const abort = new AbortController();
    const { signal } = abort;
    underWay = abort;
    const show = tellDownload(cancel);
    try {
      const lengths = await files;
      if (!lengths) throw new Problem("This server offers no model to browsers.", { status: 404 });
      const add = await followDownload(lengths, signal);
      show(add());
      const digest = (await server.model())?.bundle;
      const onProgress = (/** @type {FileProgress} */ progress) => show(add(progress));
      const engine = await openBrowserEngine({ digest, onProgress, signal });
      underWay = undefined;
      await tellReady(engine);
      return engine;
    } catch (error) {
      // A download that was cancelled has no more to say: another may be under way.
      if (underWay === abort) {
        opened = underWay = undefined;
        tellFailure(error instanceof Error ? error.message : String(error));
      }
      throw error;
    }
  }

  function cancel() {
    useServer();
    say(CANCELLED);
  }

  function useServer() {
    there.checked = true;
    choose();
  }

  /** @param {string} why */
  function tellFailure(why) {
    fillNote(
      element("span", { className: "error", textContent: why }),
      button("Try again", () => open().catch(() => {})),
      button("Use the server", useServer),
    );
    say(why);
  }

  /** @param {Engine} engine */
  async function tellReady(engine) {
    const model = await engine.model();
    if (here.checked) tell(`Nothing leaves this device. Computed here by ${backendName(model)}.`);
    onChange();
  }
}

/** @param {string} line */
function tell(line) {
  fillNote(line);
  say(line);
}

/**
 * Replaces what stands beside the switch; where that had the focus, the switch gets it.
 *
 * @param {(Node | string)[]} content
 */
function fillNote(...content) {
  const hadFocus = note.contains(document.activeElement);
  note.replaceChildren(...content);
  if (hadFocus) (here.checked ? here : there).focus();
}

/**
 * Shows a bar, and a way out.
 *
 * @param {() => void} cancel
 * @returns {(download: Download) => void}
 */
function tellDownload(cancel) {
  const line = element("span", { id: "download_line", textContent: "Fetching the model …" });
  const bar = element("progress", { id: "download" });
  bar.setAttribute("aria-labelledby", line.id);
  fillNote(line, bar, button("Cancel", cancel));
  say("Fetching the model.");
  return ({ bytes, total, isCached }) => {
    bar.max = Math.max(1, total);
    bar.value = bytes;
    if (bytes >= total) line.textContent = "Getting the model ready …";
    else if (isCached) line.textContent = "Opening the model that this browser has kept …";
    else line.textContent = `Fetching the model: ${megabytes(bytes)} of ${megabytes(total)}`;
  };
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage can be forbidden
  }
}

/** @param {EngineId} id */
function remember(id) {
  try {
    localStorage.setItem(KEY, id);
  } catch {
    // Storage can be forbidden; the choice then holds until the page is left.
  }
}
