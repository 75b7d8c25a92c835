/**
 * Labelled pictures from a table with a header: `csv:FILE`.
 */

import { dirname, resolve } from "node:path";
import { dataFailure } from "./data_failure.ts";
import type { Example, Split } from "./dataset.ts";
import { pictureReader } from "./picture_file.ts";
import { SPLIT_WORDS, splitNamed } from "./split_name.ts";
import { findColumn, readTable, type Row } from "./table.ts";
import { uniquePictures } from "./unique_examples.ts";

/** Options of {@linkcode readCsvExamples}. */
export interface CsvOptions {
  /** The column to group by; by default each example is its own group. */
  readonly groupBy?: string | undefined;
  /** The column of picture files, relative to the table's own folder or absolute. By default `file`. */
  readonly picture?: string | undefined;
  /** The column of labels. By default `label`. */
  readonly label?: string | undefined;
}

const SPLIT_COLUMN = "split";

function splitAt(path: string, line: number, word: string): Split | undefined {
  const split = splitNamed(word);
  if (split !== undefined || word === "") return split;
  throw dataFailure(
    path,
    `line ${line} has the split "${word}". Write one of ${SPLIT_WORDS}, or leave it empty; ` +
      "a column with another meaning needs another name than split",
  );
}

/**
 * Reads the examples of a table.
 *
 * Blank lines are skipped, blanks around values dropped. A picture that is listed again with the same label counts once.
 * A column `split`, where there is one, puts pictures into the data set's own parts.
 *
 * @param path the CSV file
 * @param options which columns
 * @returns at least one example, in the order of the table
 * @throws {TrainerError} when the table cannot be read, or a line lacks a file, label or group, or contradicts another
 */
export function readCsvExamples(
  path: string,
  { groupBy, picture = "file", label = "label" }: CsvOptions = {},
): Example[] {
  const [header, ...rows] = readTable(path, "comma", "Check the path after csv:");
  if (header === undefined) {
    throw dataFailure(path, `it is empty. Start it with the line: ${picture},${label}`);
  }
  const fileColumn = findColumn(path, header, picture);
  const labelColumn = findColumn(path, header, label);
  const groupColumn = groupBy === undefined ? undefined : findColumn(path, header, groupBy);
  const splitColumn = header.values.includes(SPLIT_COLUMN)
    ? findColumn(path, header, SPLIT_COLUMN)
    : undefined;
  if (rows.length === 0) {
    throw dataFailure(path, "it has a header and no rows. Add a row for each picture");
  }

  const valueAt = ({ line, values }: Row, column: number): string => {
    if (values[column] !== "") return values[column];
    const name = header.values[column];
    const mend = "Fill it in, or remove the line";
    throw dataFailure(path, `line ${line} has no value in the column "${name}". ${mend}`);
  };
  const folder = dirname(path);
  const listed = rows.map((row) => {
    const name = valueAt(row, fileColumn);
    const key = resolve(folder, name);
    const split = splitColumn === undefined
      ? undefined
      : splitAt(path, row.line, row.values[splitColumn]);
    const example: Example = {
      name,
      label: valueAt(row, labelColumn),
      group: groupColumn === undefined ? name : valueAt(row, groupColumn),
      ...(split && { split }),
      read: pictureReader(folder, name),
    };
    return { key, line: row.line, example };
  });
  const { pictures } = uniquePictures(
    listed,
    ({ key }) => key,
    ({ line, example }) => ({
      name: example.name,
      where: `line ${line}`,
      said: {
        [label]: example.label,
        ...(groupBy !== undefined && { [groupBy]: example.group }),
        [SPLIT_COLUMN]: example.split,
      },
    }),
    (why) => {
      throw dataFailure(path, why);
    },
  );
  return [...pictures.values()].map(({ example }) => example);
}
