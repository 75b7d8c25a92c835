/**
 * Labelled pictures from a table: a CSV file (RFC 4180) with a header. It is where people's
 * mistakes arrive, so each is reported with its line and its mend.
 */

import { dirname, resolve } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import type { Example } from "./dataset.ts";
import { TrainerError } from "./errors.ts";

const FILE_COLUMN = "file";
const LABEL_COLUMN = "label";

interface Row {
  /** The line in the file, from 1; of a row that runs over several, the last. */
  readonly line: number;
  readonly values: readonly string[];
}

function failure(path: string, why: string, cause?: unknown): TrainerError {
  return new TrainerError(`Cannot read ${path}: ${why}`, { cause });
}

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw failure(path, "there is no such file. Check the path after csv:", error);
    }
    if (error instanceof Deno.errors.IsADirectory) {
      throw failure(path, `it is a folder. Name a file in it, or write folder:${path}`, error);
    }
    throw failure(path, error instanceof Error ? error.message : String(error), error);
  }
  try {
    // A byte order mark is dropped. A wrong encoding is refused, or labels would be garbled without
    // a word.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw failure(path, "it is not UTF-8 text. Save it as CSV in UTF-8", error);
  }
}

/** Why the table cannot be parsed, after `lastLine`, the last that could. */
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

function parseRows(path: string, text: string): Row[] {
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
    throw failure(path, parseFailure(error, last.line, rows[0]?.values.length ?? 0), error);
  }
  return rows;
}

/** The index of a column. */
function findColumn(path: string, header: Row, column: string): number {
  const index = header.values.indexOf(column);
  const columns = header.values.map((name) => `"${name}"`).join(", ");
  if (index < 0) {
    throw failure(
      path,
      `there is no column "${column}". Its header, line ${header.line}, has the columns ` +
        `${columns}. Rename or add one; columns are separated by commas`,
    );
  }
  if (header.values.indexOf(column, index + 1) >= 0) {
    throw failure(
      path,
      `two columns are called "${column}". Its header, line ${header.line}, has the columns ` +
        `${columns}. Rename one`,
    );
  }
  return index;
}

/**
 * Reads the examples of a table.
 *
 * Blank lines are skipped, blanks around values dropped. A picture that is listed again with the
 * same label counts once.
 *
 * @param path the CSV file
 * @param groupBy the column to group by; by default each example is its own group
 * @returns at least one example, in the order of the table
 * @throws {TrainerError} when the table cannot be read, or a line lacks a file, label or group, or
 *   contradicts another
 */
export async function readCsvExamples(
  path: string,
  groupBy: string | undefined,
): Promise<Example[]> {
  const [header, ...rows] = parseRows(path, await readText(path));
  if (header === undefined) {
    throw failure(path, "it is empty. Start it with the line: file,label");
  }
  const fileColumn = findColumn(path, header, FILE_COLUMN);
  const labelColumn = findColumn(path, header, LABEL_COLUMN);
  const groupColumn = groupBy === undefined ? undefined : findColumn(path, header, groupBy);
  if (rows.length === 0) {
    throw failure(path, "it has a header and no rows. Add a row for each picture");
  }

  const valueAt = ({ line, values }: Row, column: number): string => {
    if (values[column] !== "") return values[column];
    const name = header.values[column];
    const mend = "Fill it in, or remove the line";
    throw failure(path, `line ${line} has no value in the column "${name}". ${mend}`);
  };
  const folder = dirname(path);
  const seen = new Map<string, { readonly line: number; readonly example: Example }>();
  for (const row of rows) {
    const name = valueAt(row, fileColumn);
    const example: Example = {
      file: resolve(folder, name),
      name,
      label: valueAt(row, labelColumn),
      group: groupColumn === undefined ? name : valueAt(row, groupColumn),
    };
    const earlier = seen.get(example.file);
    if (earlier === undefined) {
      seen.set(example.file, { line: row.line, example });
      continue;
    }
    const clash = [
      { column: LABEL_COLUMN, before: earlier.example.label, now: example.label },
      { column: groupBy, before: earlier.example.group, now: example.group },
    ].find(({ column, before, now }) => column !== undefined && before !== now);
    if (clash === undefined) continue;
    throw failure(
      path,
      `${name} has the ${clash.column} "${clash.before}" on line ${earlier.line} and ` +
        `"${clash.now}" on line ${row.line}. Keep one of the two lines`,
    );
  }
  return [...seen.values()].map(({ example }) => example);
}
