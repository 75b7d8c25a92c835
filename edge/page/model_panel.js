// @ts-check
/// <reference lib="dom" />
/**
 * What the page tells of the model: what it answers, how well by measurement, where it comes from.
 *
 * @module
 */

import { element, folded, glossary, part } from "./element.js";
import { percent } from "./formats.js";
import { renderMarkdown } from "./markdown.js";
import { backendName, modelFacts } from "./provenance.js";

/** @import { Model } from "./engine.js" */

/**
 * @param {Model} model
 */
export function showModel(model) {
  const { name, taxonomies, provenance, faults, modelCard } = model;
  const parts = [
    glossary([
      ["Name", name],
      ["Answers", taxonomies.map((one) => `${one.title} (${one.labels.length} labels)`).join(", ")],
      ...modelFacts(model),
      ["Backend of this server", backendName(model)],
    ]),
    methodTable(model),
    folded("Where data and weights come from", glossary(Object.entries(provenance))),
  ];
  if (faults.length > 0) {
    const rows = faults.map((
      { part, fault, detail },
    ) => /** @type {const} */ ([part, `${fault}: ${detail}`]));
    parts.push(folded("Parts that are not in use", glossary(rows)));
  }
  if (modelCard) {
    const card = element("div", { className: "markdown" }, ...renderMarkdown(modelCard, 2));
    parts.push(folded("Model card", card));
  }
  const panel = part("model", HTMLElement);
  panel.querySelector(".model")?.replaceChildren(...parts);
  panel.hidden = false;
}

/**
 * Every method with its measured accuracy, beside what always naming the commonest label gives.
 *
 * @param {Model} model
 */
function methodTable({ taxonomies }) {
  const head = ["Method", "Accuracy", "Always the commonest", "Measured on"];
  const groups = taxonomies.map(({ title, methods }) => ({ title, rows: methods.map(methodRow) }));
  const isUsed = (/** @type {unknown} */ _, /** @type {number} */ column) =>
    groups.some(({ rows }) => rows.some((row) => row[column] !== ""));
  const cells = (/** @type {string[]} */ row) =>
    row.filter(isUsed).map((textContent) => element("td", { textContent }));
  const heading = (/** @type {string} */ textContent) =>
    element("th", { textContent, scope: "col" });
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, heading("Answer"), ...head.filter(isUsed).map(heading))),
    ...groups.map(({ title, rows }) => {
      const group = element("th", { textContent: title, scope: "rowgroup", rowSpan: rows.length });
      const [first = [], ...others] = rows;
      return element(
        "tbody",
        {},
        element("tr", {}, group, ...cells(first)),
        ...others.map((row) => element("tr", {}, ...cells(row))),
      );
    }),
  );
  const box = element("div", { className: "scroll", tabIndex: 0 }, table);
  box.role = "group";
  box.ariaLabel = "Methods and their measured accuracy";
  return box;
}

/** @param {Model["taxonomies"][number]["methods"][number]} method */
function methodRow({ method, figures, measured = "", available }) {
  const { accuracy, majority } = figures ?? {};
  return [
    available ? method : `${method} (not available)`,
    accuracy === undefined ? "not measured" : percent(accuracy),
    majority === undefined ? "" : percent(majority),
    measured,
  ];
}
