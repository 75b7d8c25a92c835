// @ts-check
/// <reference lib="dom" />
/**
 * The part of Markdown that model cards are written in, as elements: headings, lists, tables, code,
 * emphasis, and links that lead to https alone. All else stays text; nothing becomes HTML.
 *
 * @module
 */

import { element } from "./element.js";

/**
 * @param {string} text
 * @param {1 | 2 | 3} level the depth of the page's heading above, below which the text's own begin
 * @returns {HTMLElement[]}
 */
export function renderMarkdown(text, level) {
  const lines = text.split(/\r?\n/);
  /** @type {HTMLElement[]} */
  const blocks = [];
  while (lines.length > 0) {
    const block = takeBlock(lines, level);
    if (block) blocks.push(block);
  }
  return blocks;
}

/**
 * Takes the first block off.
 *
 * @param {string[]} lines at least one
 * @param {number} level
 * @returns {HTMLElement | undefined} nothing for an empty line
 */
function takeBlock(lines, level) {
  const [first] = lines;
  const fence = first.match(/^\s*(```+|~~~+)/)?.[1];
  if (fence) {
    lines.shift();
    const content = takeWhile(lines, (line) => !line.trimStart().startsWith(fence));
    lines.shift();
    return element("pre", { tabIndex: 0, textContent: content.join("\n") });
  }
  if (isRow(first)) return table(takeWhile(lines, isRow));
  const item = first.match(ITEM);
  if (item) {
    const items = takeWhile(lines, (line) => ITEM.test(line) || /^\s+\S/.test(line));
    return list(/\d/.test(item[1]) ? "ol" : "ul", items);
  }
  const heading = first.match(/^(#{1,6})\s+(.*?)\s*#*$/);
  if (heading) {
    lines.shift();
    const depth = /** @type {4 | 5 | 6} */ (Math.min(6, heading[1].length + level));
    return element(`h${depth}`, {}, ...inline(heading[2]));
  }
  if (/^\s*$|^\s*([-*_])(\s*\1){2,}\s*$/.test(first)) {
    lines.shift();
    return undefined;
  }
  const paragraph = [
    lines.shift() ?? "",
    ...takeWhile(
      lines,
      (line) => /\S/.test(line) && !/^(#{1,6}\s|\s*[`~]{3}|\|)/.test(line) && !ITEM.test(line),
    ),
  ];
  return element("p", {}, ...inline(paragraph.join(" ")));
}

const ITEM = /^\s*([-*+]|\d+[.)])\s+(?=\S)/;

/** @param {string} line */
function isRow(line) {
  return /^\s*\|.*\|\s*$/.test(line);
}

/**
 * @param {string[]} lines
 * @param {(line: string) => boolean} test
 */
function takeWhile(lines, test) {
  const end = lines.findIndex((line) => !test(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

/**
 * A flat list; a line that begins no item goes on with the one before.
 *
 * @param {"ol" | "ul"} tag
 * @param {readonly string[]} lines
 */
function list(tag, lines) {
  /** @type {string[]} */
  const items = [];
  for (const line of lines) {
    if (ITEM.test(line)) items.push(line.replace(ITEM, ""));
    else items.push(`${items.pop()} ${line.trim()}`);
  }
  return element(tag, {}, ...items.map((item) => element("li", {}, ...inline(item))));
}

/**
 * A table, whose first row is its head, in a box that can be scrolled sideways.
 *
 * @param {readonly string[]} lines
 */
function table(lines) {
  const rows = lines
    .filter((line) => !/^[\s|:-]+$/.test(line))
    .map((line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim()));
  const [head = [], ...body] = rows.map((cells, place) =>
    cells.map((cell) => element(place === 0 ? "th" : "td", {}, ...inline(cell)))
  );
  const made = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body.map((cells) => element("tr", {}, ...cells))),
  );
  const box = element("div", { className: "scroll", tabIndex: 0 }, made);
  box.role = "group";
  box.ariaLabel = "Table";
  return box;
}

const SPAN = new RegExp(
  [
    /`(?<code>[^`]+)`/,
    /\*\*(?<strong>(?:[^*]|\*(?!\*))+)\*\*/,
    /\*(?<em>[^*\s](?:[^*]*[^*\s])?)\*/,
    /\[(?<text>[^\]]+)\]\((?<href>[^()\s]+)\)/,
    /<(?<bare>https:\/\/[^<>\s]+)>/,
  ].map(({ source }) => source).join("|"),
  "g",
);

/**
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function inline(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(SPAN)) {
    parts.push(text.slice(end, match.index), span(match));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

/**
 * @param {RegExpMatchArray} match
 * @returns {Node | string}
 */
function span({ 0: whole, groups = {} }) {
  const { code, strong, em, text, href, bare } = groups;
  if (code) return element("code", { textContent: code });
  if (strong) return element("strong", {}, ...inline(strong));
  if (em) return element("em", {}, ...inline(em));
  const address = bare ?? href;
  if (!/^https:\/\//.test(address)) return whole;
  return element("a", { href: address, rel: "noreferrer" }, ...inline(text ?? bare));
}
