/**
 * Foreign words in Markdown: they show as they are, and start no table cell, link or tag.
 */

import { replaceUnprintable } from "./markup.ts";

/**
 * Escapes a text.
 *
 * @param text may have line ends, which become spaces
 */
export function escapeMarkdown(text: string): string {
  return replaceUnprintable(text)
    .replace(/\s+/g, " ")
    .replace(/[\\`*_[\]<>|~]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/^([#+=-]+|\d+[.)])(?=\s|$)/, (mark) => `${mark.slice(0, -1)}\\${mark.slice(-1)}`);
}
