// @ts-check
/// <reference lib="dom" />
/**
 * The page without the page: how all of its pictures are classified by other means, and all answers
 * in one piece.
 *
 * @module
 */

import { curlOf, typescriptOf } from "./commands.js";
import { copyButton, downloadButton } from "./copy_button.js";
import { element, part } from "./element.js";

/** @import { Card } from "./card.js" */
/** @import { AskOptions, EngineId } from "./engine.js" */

const title = part("call_title", HTMLElement);
const text = part("call_text", HTMLElement);

/** @type {readonly Card[]} */
let shown = [];
const handout = element(
  "span",
  { className: "actions" },
  copyButton("Copy all answers", json),
  downloadButton("Download all answers", "clip-e.json", json),
);
part("call_actions", HTMLElement).append(
  copyButton("Copy the call", () => text.textContent ?? ""),
  handout,
);

/**
 * Shows the call for all pictures of the page; before there is one, for any.
 *
 * @param {readonly Card[]} cards in the page's order
 * @param {EngineId} engine that is chosen
 * @param {AskOptions} options
 * @param {string | undefined} digest of the bundle, once it is known
 */
export function showCall(cards, engine, options, digest = "sha256:…") {
  shown = cards;
  const files = cards.length > 0
    ? cards.map(({ file }) => file)
    : [{ name: "photo.jpg", type: "image/jpeg" }];
  const isServer = engine === "server";
  title.textContent = isServer ? "The same from a terminal" : "The same in a page of your own";
  text.textContent = isServer ? curlOf(files, options) : typescriptOf(digest, options);
  handout.hidden = answers().length === 0;
}

/** What all pictures got, as `/v1/classify` gives it to each. */
function answers() {
  return shown.flatMap(({ file, result }) => {
    const found = result();
    return found ? [{ file: file.name, computed: found.engine, ...found.answer }] : [];
  });
}

function json() {
  return JSON.stringify(answers(), null, 2);
}
