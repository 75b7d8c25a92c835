// @ts-check
/// <reference lib="dom" />
/**
 * What the page says to those who do not see it change.
 *
 * @module
 */

import { part } from "./element.js";

const status = part("status", HTMLElement);

/**
 * Says a sentence through the page's one status line.
 *
 * @param {string} sentence
 */
export function say(sentence) {
  status.textContent = sentence;
}
