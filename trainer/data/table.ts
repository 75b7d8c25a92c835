/**
 * Tables of pictures and labels, as text: CSV (RFC 4180), tabs or spaces. They are where people's mistakes arrive, so each
 * is reported with its line and its mend.
 */

import { CsvError, parse } from "csv-parse/sync";
import { dataFailure } from "./data_failure.ts";
import { readLines, readText } from "./text_file.ts";

/** A row of a table. */
export interface Row {
  /** The line in the file, from 1; of a row that runs over several, the last. */
  readonly line: number;
  /** Without blanks around them. */
  readonly values: readonly string[];
}

/** What stands between the values of a row. */
export const SEPARATORS = ["comma", "tab", "space"] as const;

/** One of {@linkcode SEPARATORS}. */
export type Separator = (typeof SEPARATORS)[number];

/** A column, by its name in the header, or by its place, from 1. */
export type Column = string | number;

/** Why a table cannot be parsed, after `lastLine`, the last that could. */
function parseFailure(error: CsvError, lastLine: number, columnCount: number): string {
  const { code, lines, record } = error;
  switch (code) {
    case "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH": {
      const count = Array.isArray(record) ? record.length : 0;
      const mend = count < columnCount
        ? "Fill in the missing ones"
        : "Put quotation marks around a value that contains a comma";
      return `on line ${lines} there should be ${columnCount} values, as in the header, ` +
        `but there are ${count}. ${mend}`;
    }
    case "CSV_QUOTE_NOT_CLOSED":
      return `a quotation mark that opens after line ${lastLine} is never closed. ` +
        "Close or remove it";
    case "CSV_INVALID_CLOSING_QUOTE":
    case "CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE":
    case "INVALID_OPENING_QUOTE":
      return `line ${lines} has a quotation mark inside a value. ` +
        "Put quotation marks around the whole value, and double those inside it";
    default:
      return `line ${lines} is malformed (${error.message})`;
  }
}

function parseCommas(path: string, text: string): Row[] {
  const rows: Row[] = [];
  try {
    parse(text, {
      record_delimiter: ["\r\n", "\n", "\r"],
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      trim: true,
      on_record(record, { lines }) {
        rows.push({ line: lines, values: record.map((value) => value.trim()) });
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const last = rows[rows.length - 1] ?? { line: 0 };
    throw dataFailure(path, parseFailure(error, last.line, rows[0]?.values.length ?? 0), error);
  }
  return rows;
}

/** The values of a line with spaces: the last `count - 1` words, and before them a path, which may have spaces itself. */
function splitAtSpaces(line: string, count: number): string[] {
  const values: string[] = [];
  let rest = line;
  while (values.length < count - 1) {
    const at = rest.search(/\s\S*$/);
    if (at < 0) break;
    values.unshift(rest.slice(at + 1));
    rest = rest.slice(0, at).trimEnd();
  }
  return [rest, ...values];
}

/**
 * Reads a table, of which only one with commas is held as a whole. Blank lines are skipped, blanks around values dropped.
 *
 * @param path the file
 * @param separator between values; only with commas do quotation marks mean anything
 * @param hint what to do where there is no such file
 * @param columnCount how many columns a table with spaces has
 * @returns its rows, one after another
 * @throws {TrainerError} when it cannot be read or is malformed
 */
export function* readTable(
  path: string,
  separator: Separator,
  hint: string,
  columnCount = 0,
): Generator<Row, void> {
  if (separator === "comma") return yield* parseCommas(path, readText(path, hint));
  let number = 0;
  for (const untrimmed of readLines(path, hint)) {
    number++;
    const line = untrimmed.trim();
    if (line === "") continue;
    const values = separator === "tab"
      ? line.split("\t").map((value) => value.trim())
      : splitAtSpaces(line, columnCount);
    yield { line: number, values };
  }
}

/**
 * The place of a column in a table with a header.
 *
 * @param path for messages
 * @param header the table's first row
 * @param column its name, or its place from 1
 * @returns from 0
 * @throws {TrainerError} when there is none or there are two
 */
export function findColumn(path: string, header: Row, column: Column): number {
  const columns = header.values.map((name) => `"${name}"`).join(", ");
  const there = `Its header, line ${header.line}, has the columns ${columns}`;
  if (typeof column === "number") {
    if (column <= header.values.length) return column - 1;
    throw dataFailure(path, `there is no column ${column}. ${there}`);
  }
  const index = header.values.indexOf(column);
  if (index < 0) {
    throw dataFailure(
      path,
      `there is no column "${column}". ${there}. Rename or add one; columns are separated by commas`,
    );
  }
  if (header.values.indexOf(column, index + 1) >= 0) {
    throw dataFailure(path, `two columns are called "${column}". ${there}. Rename one`);
  }
  return index;
}
