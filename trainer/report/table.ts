/**
 * Tables as data, and how a page and a Markdown file show them.
 */

import { type Markup, markup } from "./markup.ts";
import { escapeMarkdown } from "./escape_markdown.ts";

/** What stands in a table. */
export interface Cell {
  /** The figure. */
  readonly text: string;
  /** Such as an interval, beneath it. */
  readonly detail?: string;
  /** The column's best. */
  readonly isBest?: boolean;
  /** Of the method that serves by default, where that is not the same in each column. */
  readonly isServed?: boolean;
}

/** A line of a table. */
export interface Row {
  /** What the row is about. */
  readonly header: string;
  /** The row of the method that serves by default. */
  readonly isServed?: boolean;
  /** As many as there are columns after the first. */
  readonly cells: readonly Cell[];
}

/** A table. */
export interface Table {
  /** What it shows, in a sentence or two. */
  readonly caption: string;
  /** The first one's is that of row headers. */
  readonly columns: readonly { readonly title: string; readonly isText?: boolean }[];
  /** In order. */
  readonly rows: readonly Row[];
}

const BADGE = markup`<span class="badge">served</span>`;

/** Shows a table on a page; where the page is too narrow for it, it scrolls by itself. */
export function tableMarkup({ caption, columns, rows }: Table): Markup {
  const [first, ...rest] = columns;
  const kind = (k: number) => rest[k].isText ? "words" : "figure";
  return markup`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table>
<caption><span>${caption}</span></caption>
<thead><tr><th scope="col">${first.title}</th>${
    rest.map(({ title }, k) => markup`<th scope="col" class="${kind(k)}">${title}</th>`)
  }</tr></thead>
<tbody>
${
    rows.map(({ header, isServed, cells }) =>
      markup`<tr${isServed && markup` class="served"`}><th scope="row">${header}${
        isServed && markup` ${BADGE}`
      }</th>${
        cells.map(({ text, detail, isBest, isServed }, k) =>
          markup`<td class="${kind(k)}${isServed && " served"}">${
            isBest ? markup`<strong>${text}</strong>` : text
          }${detail !== undefined && markup`<small>${detail}</small>`}${isServed && BADGE}</td>`
        )
      }</tr>
`
    )
  }</tbody>
</table>
</div>
`;
}

/** The same in Markdown: the caption, then the table. */
export function tableMarkdown({ caption, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const [first, ...rest] = columns;
  return [
    `${escapeMarkdown(caption)}`,
    "",
    line([first, ...rest].map(({ title }) => escapeMarkdown(title))),
    line(["---", ...rest.map(({ isText }) => isText ? "---" : "---:")]),
    ...rows.map(({ header, isServed, cells }) =>
      line([
        `${escapeMarkdown(header)}${isServed ? " (served)" : ""}`,
        ...cells.map(({ text, detail, isBest, isServed }) => {
          const words = escapeMarkdown(text);
          return [
            isBest ? `**${words}**` : words,
            ...detail ? [`(${escapeMarkdown(detail)})`] : [],
            ...isServed ? ["(served)"] : [],
          ].join(" ");
        }),
      ])
    ),
  ].join("\n");
}
