/**
 * A data set that is read by a layout: which layout that is, and what it says of labels and groups.
 */

import { TrainerError } from "../errors.ts";
import type { Example } from "./dataset.ts";
import { KNOWN_LAYOUTS } from "./known_layouts.ts";
import type { OwnMaps } from "./label_maps.ts";
import type { Layout } from "./layout.ts";
import { knownLayout, readLayoutFile } from "./layout_file.ts";
import type { ReadDatasetOptions } from "./read_dataset.ts";
import { readLayout } from "./read_layout.ts";

/** Examples, and what is known of their labels. */
export interface LabelledExamples {
  /** At least one. */
  readonly examples: readonly Example[];
  /** Where the data set has a name of its own. */
  readonly name?: string;
  /** What its labels are of. */
  readonly labelSet?: string | undefined;
  /** What the data set itself says of its labels in other taxonomies. */
  readonly maps?: OwnMaps;
  /** Sentences for the user. */
  readonly notes?: readonly string[];
  /** Closes its files. */
  readonly close?: () => Promise<void>;
  /** The column that it is grouped by. */
  readonly groupBy?: string | undefined;
}

/**
 * The layout that a form and its options mean.
 *
 * @returns `undefined` for forms without one
 * @throws {TrainerError} when the layout file is wrong, or nobody counted this agreement
 */
export async function chooseLayout(
  form: string,
  options: ReadDatasetOptions,
): Promise<Layout | undefined> {
  const { layout: file, agree = 5 } = options;
  const id = form === "twitter1" ? `twitter1-${agree}` : form;
  if (form === "twitter1" && !KNOWN_LAYOUTS.has(id)) {
    throw new TrainerError(
      `Cannot read Twitter I where ${agree} of five people agree: there are lists for 3, 4 and 5. ` +
        "Write one of them after --agree",
    );
  }
  if (file !== undefined) {
    return await readLayoutFile(file, KNOWN_LAYOUTS.has(id) ? id : undefined);
  }
  return knownLayout(id);
}

/**
 * Reads a folder by a layout.
 *
 * @param layout which
 * @param path the folder
 * @param options what the user wants otherwise
 * @throws {TrainerError} when the layout does not fit
 */
export async function readByLayout(
  layout: Layout,
  path: string,
  { groupBy, deadZone, taxonomy }: ReadDatasetOptions,
): Promise<LabelledExamples> {
  const { polarity, labels } = layout;
  const zoned = polarity && deadZone !== undefined
    ? { ...layout, polarity: { ...polarity, deadZone } }
    : layout;
  const read = await readLayout(zoned, path, groupBy);
  const maps = new Map(read.maps);
  for (const [id, own] of Object.entries(layout.maps)) {
    maps.set(id, new Map([...maps.get(id) ?? [], ...Object.entries(own)]));
  }
  const ownGroup = labels.kind === "tables" ? labels.columns.group : undefined;
  return {
    ...read,
    maps,
    name: layout.id,
    labelSet: taxonomy ?? layout.taxonomy,
    groupBy: groupBy ?? ownGroup?.toString(),
  };
}
