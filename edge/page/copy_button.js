// @ts-check
/// <reference lib="dom" />
/**
 * Buttons that hand text out: to the clipboard, or as a file.
 *
 * @module
 */

import { button, element } from "./element.js";
import { say } from "./say.js";

/**
 * @param {string} name what it does, for those who hear it
 * @param {() => string} text
 * @param {string} [label] what it says, where that is shorter
 */
export function copyButton(name, text, label = name) {
  const made = button(label, async () => {
    const said = await navigator.clipboard.writeText(text()).then(
      () => "Copied",
      () => "Not allowed",
    );
    say(said);
    made.textContent = said;
    setTimeout(() => made.textContent = label, 2000);
  });
  if (label !== name) made.ariaLabel = name;
  made.hidden = !navigator.clipboard; // absent on plain http
  return made;
}

/**
 * @param {string} label
 * @param {string} fileName
 * @param {() => string} text JSON
 */
export function downloadButton(label, fileName, text) {
  return button(label, () => {
    const href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    element("a", { href, download: fileName }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  });
}
