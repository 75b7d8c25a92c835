// @ts-check
/// <reference lib="dom" />
/**
 * The page at `/`: pictures are dropped, picked, pasted or photographed, and each gets a card that
 * shows what it evokes. It exists so that a person can try the service without writing code.
 * Nothing needs an exception from the page's Content-Security-Policy: text goes in as text, widths
 * through CSSOM.
 *
 * @module
 */

import { offerCamera } from "./camera.js";
import { showCall } from "./call_panel.js";
import { createCard } from "./card.js";
import { readFileLengths } from "./download.js";
import { part } from "./element.js";
import { refuseOthers } from "./engine.js";
import { createEngineSwitch } from "./engine_switch.js";
import { takeIn } from "./intake.js";
import { showModel } from "./model_panel.js";
import { say } from "./say.js";
import { createServerEngine } from "./server_engine.js";

/** @import { Card, Desk } from "./card.js" */
/** @import { AskOptions, Model } from "./engine.js" */

const compare = part("compare", HTMLInputElement);
const grid = part("cards", HTMLElement);
const clear = part("clear", HTMLButtonElement);
const again = part("again", HTMLButtonElement);

/** The newest first. @type {Card[]} */
let cards = [];

/** @type {Model | undefined} */
let model;

const server = createServerEngine();
const engines = createEngineSwitch(server, readFileLengths(), () => {
  for (const card of cards) card.offerOther();
  refresh();
});

/** @type {Desk} */
const desk = {
  chosen: engines.chosen,
  isOffered: engines.isOffered,
  options,
  onChange: refresh,
  classify: async (file, id, options, listener) => {
    refuseOthers(file);
    if (id === "browser") listener.note("Waiting for the model …");
    const engine = await engines.open(id);
    return await engine.classify(file, options, listener);
  },
};

takeIn(add);
offerCamera(add);
compare.addEventListener("change", () => {
  document.body.classList.toggle("comparing", compare.checked);
  for (const card of cards) {
    if (card.result() || card.isBusy()) card.look(card.engine());
  }
  refresh();
});
again.addEventListener("click", () => {
  for (const card of cards.filter((card) => card.isForeign())) card.look(engines.chosen());
  part("pick", HTMLInputElement).focus(); // the button is about to go
});
clear.addEventListener("click", () => {
  for (const card of cards) card.close();
  cards = [];
  grid.replaceChildren();
  document.body.classList.remove("full");
  refresh();
  say("Cleared.");
  part("pick", HTMLInputElement).focus();
});
refresh();

server.model().then((found) => {
  if (!found) return;
  model = found;
  showModel(found);
  const isComparable = found.taxonomies.some(({ methods }) =>
    methods.filter(({ available }) => available).length > 1
  );
  part("compare_label", HTMLElement).hidden = !isComparable;
  refresh();
});

/** @returns {AskOptions} */
function options() {
  return { method: compare.checked ? "all" : "auto" };
}

/**
 * Puts a card for each file before the older cards, and asks.
 *
 * @param {readonly File[]} files
 */
function add(files) {
  const added = files.map((file) => createCard(file, desk));
  cards = [...added, ...cards];
  grid.prepend(...added.map(({ root }) => root));
  document.body.classList.add("full");
  for (const card of added) card.look(engines.chosen());
}

/** Counts the cards, and says how the page's pictures are classified without it. */
function refresh() {
  const done = cards.filter((card) => !card.isBusy()).length;
  part("count", HTMLElement).textContent = cards.length === 0
    ? ""
    : done < cards.length
    ? `${done} of ${cards.length} seen`
    : cards.length === 1
    ? "1 picture"
    : `${cards.length} pictures`;
  part("tools", HTMLElement).hidden = cards.length === 0;
  again.hidden = cards.filter((card) => card.isForeign()).length < 2;
  again.textContent = engines.chosen() === "server"
    ? "All again on the server"
    : "All again in this browser";
  showCall(cards, engines.chosen(), options(), model?.bundle);
}
