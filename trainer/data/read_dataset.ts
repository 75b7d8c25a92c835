/**
 * The first step of training: labelled pictures, from whichever form they come in. This file picks the reader and says what
 * the labels are called elsewhere; each form has a reader of its own. No picture is opened here.
 */

import { basename, dirname, extname } from "node:path";
import { findTaxonomy } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import { compare } from "./compare.ts";
import { readCsvExamples } from "./csv_examples.ts";
import { quoteSome } from "./data_failure.ts";
import type { Dataset, LabelMap } from "./dataset.ts";
import { readFolderExamples } from "./folder_examples.ts";
import { KNOWN_LAYOUTS } from "./known_layouts.ts";
import { taxonomiesOf } from "./label_maps.ts";
import { chooseLayout, type LabelledExamples, readByLayout } from "./layout_dataset.ts";
import { readParquetExamples } from "./parquet_examples.ts";
import { readTarExamples } from "./tar_examples.ts";

/** Options of {@linkcode readDataset}. Those that say of which data sets they are change nothing in others. */
export interface ReadDatasetOptions {
  /** The column whose value is the group of an example, so only for what has columns. */
  readonly groupBy?: string;
  /** A layout file, which says how a known data set lies here, or how `folder:DIR` does. */
  readonly layout?: string;
  /** What the labels are of: a taxonomy's id, or a name of their own. A known data set says so itself. */
  readonly taxonomy?: string;
  /** Of a data set labelled by ratings: pictures no farther than this from its threshold are left out. */
  readonly deadZone?: number;
  /** Of `twitter1:DIR`: how many of five people agreed, at least 3. By default 5. */
  readonly agree?: number;
  /** The column of pictures, of a table or of Parquet. */
  readonly pictureColumn?: string;
  /** The column of labels, of a table or of Parquet; the field of a `.json` in shards. */
  readonly labelColumn?: string;
}

const GENERAL_FORMS = ["csv", "folder", "parquet", "tar"];
const KNOWN_FORMS = [...KNOWN_LAYOUTS.keys(), "twitter1"].sort(compare);

/**
 * Whether a data set is a known one, which says itself what its labels are of.
 *
 * @param spec form and path
 */
export function isKnownForm(spec: string): boolean {
  return KNOWN_FORMS.includes(spec.split(":", 1)[0]);
}

/** What a data set's form may be: what stands before the colon. */
export const DATASET_FORMS: readonly string[] = [...GENERAL_FORMS, ...KNOWN_FORMS];

const FORMS = "write csv:FILE for a table with the columns file and label, " +
  "folder:DIR for a folder with one sub-folder per label, " +
  "parquet:FILES for a data set of the hub, tar:FILES for WebDataset shards, " +
  `or a known data set's name and folder: ${KNOWN_FORMS.map((form) => `${form}:DIR`).join(", ")}`;

async function readGeneral(
  spec: string,
  form: string,
  path: string,
  { groupBy, taxonomy, pictureColumn: picture, labelColumn: label }: ReadDatasetOptions,
): Promise<LabelledExamples> {
  const columns = { groupBy, picture, label };
  const named = { labelSet: taxonomy, groupBy };
  if (form === "csv") return { ...named, examples: readCsvExamples(path, columns) };
  if (form === "parquet") return { ...named, ...await readParquetExamples(path, columns) };
  if (groupBy !== undefined) {
    const what = form === "tar" ? "shards have" : "a folder has";
    throw new TrainerError(
      `Cannot group the data set ${spec} by "${groupBy}": ${what} no columns. ` +
        `Use csv:FILE with a column "${groupBy}", or leave the grouping out`,
    );
  }
  if (form === "tar") return { ...named, ...await readTarExamples(path, label) };
  return { ...named, examples: await readFolderExamples(path) };
}

/** Refuses columns that a form has not. */
function refuseUseless(spec: string, form: string, options: ReadDatasetOptions): void {
  const { pictureColumn, labelColumn } = options;
  const useless = [
    { option: "--picture-column", value: pictureColumn, forms: ["csv", "parquet"] },
    { option: "--label-column", value: labelColumn, forms: ["csv", "parquet", "tar"] },
  ].find(({ value, forms }) => value !== undefined && !forms.includes(form));
  if (useless === undefined) return;
  throw new TrainerError(
    `Cannot read the data set ${spec} with ${useless.option}: it is for ` +
      `${useless.forms.map((form) => `${form}:`).join(", ")}. Leave it out`,
  );
}

async function readExamples(spec: string, options: ReadDatasetOptions): Promise<LabelledExamples> {
  const colon = spec.indexOf(":");
  const form = spec.slice(0, Math.max(colon, 0));
  const path = spec.slice(colon + 1);
  if (!DATASET_FORMS.includes(form)) {
    throw new TrainerError(
      `Cannot read the data set ${spec}: it starts with no form that is known. Instead, ${FORMS}`,
    );
  }
  if (path === "") {
    throw new TrainerError(`Cannot read the data set ${spec}: it names no path. Instead, ${FORMS}`);
  }
  if (options.layout !== undefined && GENERAL_FORMS.includes(form) && form !== "folder") {
    throw new TrainerError(
      `Cannot read the data set ${spec} by the layout ${options.layout}: a layout describes a ` +
        "folder. Write folder:DIR, or a known data set's name and folder",
    );
  }
  refuseUseless(spec, form, options);
  const layout = await chooseLayout(form, options);
  if (layout !== undefined) return await readByLayout(layout, path, options);
  return await readGeneral(spec, form, path, options);
}

/** Sentences on labels that a taxonomy has no counterpart for. */
function leftOut(labels: readonly string[], taxonomies: ReadonlyMap<string, LabelMap>): string[] {
  return [...taxonomies].flatMap(([id, map]) => {
    const missing = labels.filter((label) => !map.has(label));
    if (missing.length === 0) return [];
    return [`In ${id}, pictures of ${quoteSome(missing)} have no counterpart and are left out.`];
  });
}

/** What a data set is called in tables: its folder, or its file without its ending. */
function shortName(spec: string): string {
  const [form, path] = [spec.slice(0, spec.indexOf(":")), spec.slice(spec.indexOf(":") + 1)];
  if (form === "folder") return basename(path);
  return /[*?{]/.test(path) ? basename(dirname(path)) : basename(path, extname(path));
}

/**
 * Reads a data set.
 *
 * - `csv:FILE`: a table with a header, the columns `file` (relative to the table's own folder, or absolute) and `label`,
 *   perhaps `split`, and any others.
 * - `folder:DIR`: one sub-folder per label with JPEG, PNG and WebP pictures at any depth, perhaps below one sub-folder per
 *   split. Pictures outside of a label's folder are skipped.
 * - `parquet:FILES`, `tar:FILES`: a file, a folder of them, or a pattern.
 * - `webemo:DIR` and others: a known data set, by its layout.
 *
 * @param spec form and path; the path is relative to the current directory
 * @param options how to read and group it
 * @returns the data set, in an order that depends on nothing but its contents
 * @throws {TrainerError} when it cannot be read, contradicts itself or has fewer than two labels
 */
export async function readDataset(
  spec: string,
  options: ReadDatasetOptions = {},
): Promise<Dataset> {
  const read = await readExamples(spec, options);
  const { examples, labelSet, maps, notes = [], groupBy } = read;
  const labels = [...new Set(examples.map((example) => example.label))].sort();
  if (labels.length < 2) {
    throw new TrainerError(
      `Cannot learn from the data set ${spec}: all of its pictures have the label ` +
        `"${labels[0]}". Add pictures with at least one other label`,
    );
  }
  const taxonomies = taxonomiesOf(labels, labelSet, maps);
  const counterpart = findTaxonomy(options.taxonomy ?? "");
  if (counterpart !== undefined && !taxonomies.has(counterpart.id)) {
    throw new TrainerError(
      `Cannot read the data set ${spec} as ${counterpart.id}: none of its labels ` +
        `(${quoteSome(labels)}) is one of ${
          quoteSome(counterpart.labels.map(({ id }) => id), 30)
        }. ` +
        "Rename its labels, or name another taxonomy",
    );
  }
  const counts = `${examples.length} pictures, ${labels.length} labels`;
  const grouping = groupBy === undefined ? "" : `, grouped by ${groupBy}`;
  return {
    name: read.name ?? shortName(spec),
    description: `${spec}: ${counts}${grouping}`,
    examples,
    labels,
    taxonomies,
    notes: [...notes, ...leftOut(labels, taxonomies)],
    ...(groupBy !== undefined && { groupedBy: groupBy }),
    ...(read.close && { close: read.close }),
  };
}
