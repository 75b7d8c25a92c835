/**
 * The first step of training: labelled pictures, from whichever form they come in. This file says
 * what a data set is and picks the reader; each form has a file of its own. No picture is opened
 * here.
 */

import { readCsvExamples } from "./csv_dataset.ts";
import { TrainerError } from "./errors.ts";
import { readFolderExamples } from "./folder_dataset.ts";

/** A picture and what it evokes. */
export interface Example {
  /** Absolute path of the picture, which may turn out not to exist. */
  readonly file: string;
  /**
   * The picture's name for reports: as the table has it, or its path within the folder, with `/`.
   */
  readonly name: string;
  /** What it evokes. */
  readonly label: string;
  /**
   * Examples of one group are never split between training and validation; by default each is its
   * own.
   */
  readonly group: string;
}

/** Labelled pictures. */
export interface Dataset {
  /** One line for reports, such as `csv:labels.csv: 706 pictures, 2 labels`. */
  readonly description: string;
  /** In the table's order, or by label and then name; no file occurs twice. */
  readonly examples: readonly Example[];
  /** The labels that occur, sorted by code unit; at least two. */
  readonly labels: readonly string[];
}

/** Options of {@linkcode readDataset}. */
export interface ReadDatasetOptions {
  /** The column whose value is the group of an example, so only for a table. */
  groupBy?: string;
}

const FORMS = "write csv:FILE for a table with the columns file and label, " +
  "or folder:DIR for a folder with one sub-folder per label";

function readExamples(spec: string, groupBy: string | undefined): Promise<Example[]> {
  const colon = spec.indexOf(":");
  const form = spec.slice(0, Math.max(colon, 0));
  const path = spec.slice(colon + 1);
  if (form !== "csv" && form !== "folder") {
    throw new TrainerError(
      `Cannot read the data set ${spec}: it starts with neither csv: nor folder:. ` +
        `Instead, ${FORMS}`,
    );
  }
  if (path === "") {
    throw new TrainerError(`Cannot read the data set ${spec}: it names no path. Instead, ${FORMS}`);
  }
  if (form === "csv") return readCsvExamples(path, groupBy);
  if (groupBy === undefined) return readFolderExamples(path);
  throw new TrainerError(
    `Cannot group the data set ${spec} by "${groupBy}": a folder has no columns. ` +
      `Use csv:FILE with a column "${groupBy}", or leave the grouping out`,
  );
}

/**
 * Reads a data set.
 *
 * `csv:FILE` is a table with a header, the columns `file` (relative to the table's own folder, or
 * absolute) and `label`, and any others. `folder:DIR` has one sub-folder per label with JPEG, PNG
 * and WebP pictures at any depth; pictures outside of a sub-folder have no label and are skipped.
 *
 * @param spec `csv:FILE` or `folder:DIR`, paths relative to the current directory
 * @param options how to group
 * @returns the data set, in an order that depends on nothing but its contents
 * @throws {TrainerError} when it cannot be read, contradicts itself or has fewer than two labels
 */
export async function readDataset(
  spec: string,
  options: ReadDatasetOptions = {},
): Promise<Dataset> {
  const { groupBy } = options;
  const examples = await readExamples(spec, groupBy);
  const labels = [...new Set(examples.map((example) => example.label))].sort();
  if (labels.length < 2) {
    throw new TrainerError(
      `Cannot learn from the data set ${spec}: all of its pictures have the label ` +
        `"${labels[0]}". Add pictures with at least one other label`,
    );
  }
  const counts = `${examples.length} pictures, ${labels.length} labels`;
  const grouping = groupBy === undefined ? "" : `, grouped by ${groupBy}`;
  const description = `${spec}: ${counts}${grouping}`;
  return { description, examples, labels };
}
