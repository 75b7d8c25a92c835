// @ts-check
/// <reference lib="dom" />
/**
 * Things that are one click away, in one line of buttons; one of them at a time is open below it.
 *
 * @module
 */

import { button, element } from "./element.js";

/** Panels until now, for their ids. */
let count = 0;

/**
 * @param {readonly (readonly [string, () => Node[]])[]} entries what a button says, and what
 *   it opens
 * @param {Node[]} others stand at the end of the line
 */
export function disclosures(entries, ...others) {
  const panel = element("div", { className: "panel", id: `panel_${++count}`, hidden: true });
  const buttons = entries.map(([label, open]) => {
    const made = button(label, () => {
      const opens = made.ariaExpanded !== "true";
      for (const one of buttons) one.ariaExpanded = String(one === made && opens);
      panel.hidden = !opens;
      panel.replaceChildren(...(opens ? open() : []));
    });
    made.ariaExpanded = "false";
    made.setAttribute("aria-controls", panel.id);
    return made;
  });
  return element(
    "div",
    { className: "foot" },
    element("div", { className: "actions" }, ...buttons, ...others),
    panel,
  );
}
