/**
 * The lines of a layout's tables: which picture, what it evokes, where it belongs.
 */

import { join, posix } from "node:path";
import { dataFailure, quoteSome } from "./data_failure.ts";
import type { Split } from "./dataset.ts";
import { describeFolder } from "./find_pictures.ts";
import { polarityOf } from "./label_maps.ts";
import type { Layout, LayoutTable, TableLabels } from "./layout.ts";
import type { PictureWords } from "./place_pictures.ts";
import { SPLIT_WORDS, splitNamed } from "./split_name.ts";
import { type Column, findColumn, readTable, type Row } from "./table.ts";

/** A line of a layout's table. */
export interface TableLine extends PictureWords {
  /** The table, relative to the data set's folder. */
  readonly table: string;
  /** From 1. */
  readonly line: number;
  /** Where the data set puts it. */
  readonly split: Split | undefined;
  /** Its group, where there is a column of groups. */
  readonly group: string | undefined;
}

/** A table that is there. */
export interface FoundTable {
  /** Relative to the data set's folder. */
  readonly name: string;
  /** Of its pictures. */
  readonly split: Split | undefined;
}

/** How the tables of a layout are written. */
export type TableStyle = Pick<TableLabels, "separator" | "hasHeader" | "columns">;
/** What a layout says of labels. */
export type Naming = Pick<Layout, "names" | "firstIndex" | "polarity">;

/**
 * The table that is there, of the names that it may have.
 *
 * @returns relative to the data set's folder; `undefined` where there is none
 */
export async function findTable(
  folder: string,
  { file }: LayoutTable,
): Promise<string | undefined> {
  for (const name of file) {
    const info = await Deno.stat(join(folder, name)).catch(() => null);
    if (info?.isFile) return name;
  }
  return undefined;
}

/** The label that a word names: itself, or the name that has this index. */
function nameLabel(
  word: string,
  { names, firstIndex }: Naming,
): string | undefined {
  if (names === undefined) return word;
  if (/^-?\d+$/.test(word)) return names[Number(word) - firstIndex];
  return names.find((name) => name.toLowerCase() === word.toLowerCase());
}

type Places = Readonly<Record<keyof TableLabels["columns"], number | undefined>>;

/** Reads the values of rows by the layout's words for columns. */
function placesOf(path: string, columns: TableLabels["columns"], header: Row | undefined): Places {
  const placeOf = (column: Column | undefined): number | undefined => {
    if (column === undefined) return undefined;
    if (header !== undefined) return findColumn(path, header, column);
    return Number(column) - 1;
  };
  return {
    picture: placeOf(columns.picture),
    label: placeOf(columns.label),
    valence: placeOf(columns.valence),
    split: placeOf(columns.split),
    group: placeOf(columns.group),
  };
}

/**
 * Reads one table of a layout.
 *
 * @param folder the data set's
 * @param table its name and split
 * @param labels how tables of this layout are written
 * @param naming what the layout says of labels
 * @returns its lines, one after another, so that none need be held; `undefined` for one whose number is in the dead zone
 * @throws {TrainerError} naming the line that cannot be understood
 */
export function* readLayoutTable(
  folder: string,
  table: FoundTable,
  { separator, hasHeader, columns }: TableStyle,
  naming: Naming,
): Generator<TableLine | undefined, void> {
  const path = join(folder, table.name);
  const numbers = Object.values(columns).map((column) => typeof column === "number" ? column : 0);
  const rows = readTable(path, separator, "Check the layout", Math.max(...numbers));
  const header = hasHeader ? rows.next().value ?? undefined : undefined;
  const places = placesOf(path, columns, header);
  let isEmpty = true;
  for (const row of rows) {
    isEmpty = false;
    yield readLine(path, row, table, places, naming);
  }
  if (isEmpty) throw dataFailure(path, "it lists no picture");
}

/** What a row says; `undefined` where its number is in the dead zone. */
function readLine(
  path: string,
  { line, values }: Row,
  table: FoundTable,
  places: Places,
  naming: Naming,
): TableLine | undefined {
  const refuse = (why: string) => dataFailure(path, `line ${line} ${why}`);
  const valueOf = (column: keyof Places): string | undefined => {
    const place = places[column];
    if (place === undefined) return undefined;
    if (values[place]) return values[place];
    const where = `There should be one in column ${place + 1}: "${values.join(" ")}"`;
    throw refuse(`has no ${column}. ${where}`);
  };
  const picture = valueOf("picture") ?? "";
  const number = valueOf("valence");
  const index = valueOf("label") ?? posix.basename(posix.dirname(picture));
  const label = number === undefined
    ? nameOrRefuse(index, naming, refuse)
    : rateOrRefuse(number, naming, refuse);
  if (label === undefined) return undefined;
  const word = valueOf("split");
  const split = word === undefined ? table.split : splitNamed(word);
  if (word !== undefined && split === undefined) {
    throw refuse(`has the split "${word}". Write one of ${SPLIT_WORDS}`);
  }
  return { path: picture, label, index, split, group: valueOf("group"), table: table.name, line };
}

function nameOrRefuse(index: string, naming: Naming, refuse: (why: string) => Error): string {
  const label = nameLabel(index, naming);
  if (label !== undefined && label !== "" && label !== ".") return label;
  const { names = [], firstIndex } = naming;
  const what = names.length === 0
    ? "has no label: its picture lies in no folder"
    : `has the label "${index}", which is neither an index from ${firstIndex} to ` +
      `${firstIndex + names.length - 1} nor one of ${quoteSome(names, 30)}`;
  throw refuse(`${what}. Mend the line, or name the labels in a layout with --layout FILE`);
}

function rateOrRefuse(
  number: string,
  { polarity }: Naming,
  refuse: (why: string) => Error,
): string | undefined {
  const rating = Number(number);
  if (Number.isFinite(rating) && polarity !== undefined) return polarityOf(rating, polarity);
  throw refuse(`has "${number}" where a number should be`);
}

/**
 * Finds a layout's tables.
 *
 * @returns as many as the layout has
 * @throws {TrainerError} when one is missing, saying what was looked for and what there is
 */
export async function findTables(
  folder: string,
  title: string,
  tables: readonly LayoutTable[],
): Promise<FoundTable[]> {
  const found: FoundTable[] = [];
  for (const table of tables) {
    const name = await findTable(folder, table);
    if (name === undefined) {
      throw dataFailure(
        folder,
        `it does not look like ${title}: there is no ${table.file.join(", nor ")}, but ` +
          `${await describeFolder(
            folder,
          )}. Check the path, or describe how it lies with --layout FILE`,
      );
    }
    found.push({ name, split: table.split });
  }
  return found;
}
