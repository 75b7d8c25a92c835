// @ts-check
/// <reference lib="dom" />
/**
 * Predictions as bars: one list a taxonomy or, where several methods answered, one beside the other
 * with the labels in the same order, so that a row can be read across.
 *
 * @module
 */

import { element, folded, quiet } from "./element.js";
import { percent } from "./formats.js";

/** @import { Model, Prediction } from "./engine.js" */
/**
 * @typedef {{
 *   method: string,
 *   measured: string,
 *   titles: ReadonlyMap<string, string>,
 *   scores: ReadonlyMap<string, number>,
 * }} Column the answer of one method: titles and scores by label
 */

/** Labels shown of a taxonomy too long to show whole, and how long that is. */
const SHOWN = 6;
const LONG = 8;

const DEGRADED = "A part of the model could not be loaded, so a simpler method stood in. " +
  "Trust this answer less.";
const SIGMOID = "Each label is scored by itself; they do not add up to 100%.";

/**
 * What a picture evokes.
 *
 * @param {readonly Prediction[]} predictions
 * @param {Model | undefined} model titles and figures; without it ids are shown
 * @returns {HTMLElement[]} a section a taxonomy
 */
export function showPredictions(predictions, model) {
  const byTaxonomy = Map.groupBy(predictions, ({ taxonomy }) => taxonomy);
  return Array.from(byTaxonomy, ([id, answers]) => {
    const taxonomy = model?.taxonomies.find((one) => one.id === id);
    const titles = new Map(taxonomy?.labels.map((label) => [label.id, label.title]));
    const measured = new Map(taxonomy?.methods.map((one) => [one.method, one.figures?.accuracy]));
    const columns = answers.map(({ method, scores }) => ({
      method,
      measured: figure(measured.get(method)),
      titles,
      scores: new Map(scores.map(({ label, score }) => [label, score])),
    }));
    const heading = element(
      "div",
      { className: "question" },
      element("h3", { textContent: taxonomy?.title ?? id }),
      ...(columns.length === 1 ? [quiet(`${columns[0].method}, ${columns[0].measured}`)] : []),
    );
    const section = element("section", { className: "taxonomy" }, heading);
    section.dataset.taxonomy = id;
    if (answers.some(({ degraded }) => degraded)) {
      section.append(element("p", { className: "degraded", textContent: DEGRADED }));
    }
    section.append(...bars(columns));
    if (answers.some(({ normalization }) => normalization === "sigmoid")) {
      section.append(quiet(SIGMOID));
    }
    return section;
  });
}

/**
 * The strongest label of each taxonomy by its best method, in a sentence.
 *
 * @param {readonly Prediction[]} predictions
 * @param {Model | undefined} model
 */
export function summarize(predictions, model) {
  const first = Map.groupBy(predictions, ({ taxonomy }) => taxonomy);
  const said = Array.from(first, ([id, [{ scores: [top] }]]) => {
    const taxonomy = model?.taxonomies.find((one) => one.id === id);
    const label = taxonomy?.labels.find((one) => one.id === top?.label)?.title ?? top?.label;
    return `${taxonomy?.title ?? id}: ${label} ${percent(top?.score ?? 0)}`;
  });
  return `${said.join("; ")}.`;
}

/**
 * How often a method was found right.
 *
 * @param {number | undefined} accuracy
 */
function figure(accuracy) {
  return accuracy === undefined ? "not measured" : `accuracy ${percent(accuracy)}`;
}

/**
 * The strongest labels, the rest of a long list folded away.
 *
 * @param {readonly Column[]} columns
 * @returns {HTMLElement[]}
 */
function bars(columns) {
  const labels = inOrder(columns);
  if (labels.length <= LONG) return [side(columns, labels)];
  const rest = labels.slice(SHOWN);
  return [
    side(columns, labels.slice(0, SHOWN)),
    folded(`${rest.length} more`, side(columns, rest)),
  ];
}

/**
 * Labels by the best place that any method gives them, and among those by the first method: so the
 * favourites of every method come before the fold.
 *
 * @param {readonly Column[]} columns
 */
function inOrder([first, ...others]) {
  const place = new Map(strongestFirst(first).map((label, place) => [label, place]));
  const best = new Map(place);
  for (const column of others) {
    strongestFirst(column).forEach((label, here) => {
      best.set(label, Math.min(here, best.get(label) ?? here));
    });
  }
  const by = (/** @type {ReadonlyMap<string, number>} */ places, /** @type {string} */ label) =>
    places.get(label) ?? Infinity;
  return [...best.keys()].sort((a, b) => by(best, a) - by(best, b) || by(place, a) - by(place, b));
}

/** @param {Column} column */
function strongestFirst({ scores }) {
  return [...scores].sort(([, a], [, b]) => b - a).map(([label]) => label);
}

/**
 * Methods side by side.
 *
 * @param {readonly Column[]} columns
 * @param {readonly string[]} labels
 */
function side(columns, labels) {
  if (columns.length === 1) return list(columns[0], labels);
  return element(
    "div",
    { className: "methods" },
    ...columns.map((column) =>
      element(
        "div",
        { className: "method" },
        element("h4", { textContent: column.method }),
        quiet(column.measured),
        list(column, labels),
      )
    ),
  );
}

/**
 * @param {Column} column
 * @param {readonly string[]} labels
 */
function list(column, labels) {
  const [strongest] = strongestFirst(column);
  const items = labels.map((label) => {
    const score = column.scores.get(label) ?? 0;
    const track = element("span", { className: "track", ariaHidden: "true" });
    track.style.setProperty("--score", String(Math.min(1, Math.max(0, score))));
    return element(
      "li",
      { className: label === strongest ? "strongest" : "" },
      element("span", { className: "label", textContent: column.titles.get(label) ?? label }),
      track,
      element("span", { className: "percent", textContent: percent(score) }),
    );
  });
  return element("ol", { className: "bars" }, ...items);
}
