/**
 * Tables for a terminal: the same that a report shows, as aligned lines of text.
 */

import type { Cell, Row, Table } from "../report/table.ts";

/** Stands before a column's best. */
const BEST = "*";

/** Of a terminal's line; where intervals do not fit, they are left to the report. */
const MAX_WIDTH = 120;

/**
 * Writes a table: its caption, then a line for each row. A column's best figure is marked with a star.
 *
 * @param table whose texts have no line breaks
 * @returns without a line break at its end
 */
export function formatTable(table: Table): string {
  const whole = formatLines(table, true);
  const lines = whole.some((line) => line.length > MAX_WIDTH) ? formatLines(table, false) : whole;
  return [table.caption, ...lines].join("\n");
}

function formatLines({ columns, rows }: Table, withDetails: boolean): string[] {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => textsOf(row, withDetails)),
  ];
  const widths = columns.map((_, k) => Math.max(...lines.map((line) => line[k].length)));
  const isLeft = (k: number) => k === 0 || columns[k].isText === true;
  return lines.map((line) =>
    line.map((text, k) => isLeft(k) ? text.padEnd(widths[k]) : text.padStart(widths[k]))
      .join("  ").trimEnd()
  );
}

/**
 * Writes several tables, with an empty line between them.
 *
 * @param tables in order
 */
export function formatTables(tables: readonly Table[]): string {
  return tables.map(formatTable).join("\n\n");
}

function textsOf({ header, isServed, cells }: Row, withDetails: boolean): string[] {
  return [
    isServed ? `${header} (served)` : header,
    ...cells.map((cell) => textOf(cell, withDetails)),
  ];
}

function textOf({ text, detail, isBest, isServed }: Cell, withDetails: boolean): string {
  return [
    isBest ? BEST + text : text,
    ...(withDetails && detail !== undefined ? [`[${detail}]`] : []),
    ...(isServed ? ["(served)"] : []),
  ].join(" ");
}
