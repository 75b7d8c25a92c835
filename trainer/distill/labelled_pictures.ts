/**
 * Pictures with labels, which a student may learn beside what its teacher sees: a data set in any form that training takes,
 * without the pictures that it keeps for measuring. Labels are the data set's own words, whatever taxonomy they are of.
 */

import type { Example } from "../data/dataset.ts";
import { readDataset, type ReadDatasetOptions } from "../data/read_dataset.ts";
import { TrainerError } from "../errors.ts";

/** Where they are. */
export interface LabelledSource {
  /** Form and path, as `train --data` takes it; the path is absolute. */
  readonly dataset: string;
  /** How to read it. */
  readonly options: ReadDatasetOptions;
}

/** What was read. */
export interface LabelledPictures {
  /** In the data set's order. */
  readonly pictures: readonly Example[];
  /** The labels that they have, sorted. */
  readonly labels: readonly string[];
  /** Each picture's, as a place in `labels`. */
  readonly labelOf: readonly number[];
  /** Each picture's group, by number; absent where each is its own. */
  readonly groups?: readonly number[];
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/** Of a data set's notes, those on taxonomies: here its labels are learned as they are. */
const ON_TAXONOMIES = "have no counterpart and are left out.";

/**
 * Reads labelled pictures. None is opened.
 *
 * @param source where they are
 * @throws {TrainerError} when the data set cannot be read, or fewer than two labels may be learned from
 */
export async function readLabelled(source: LabelledSource): Promise<LabelledPictures> {
  const dataset = await readDataset(source.dataset, source.options);
  await dataset.close?.();
  const pictures = dataset.examples.filter(({ split }) => split === undefined || split === "train");
  const labels = distinct(pictures.map(({ label }) => label)).sort();
  if (labels.length < 2) {
    throw new TrainerError(
      `Cannot learn labels from ${source.dataset}: without its test and validation parts, ` +
        `${pictures.length} pictures with ${labels.length} of its labels are left. ` +
        "It takes pictures with at least two labels to learn from",
    );
  }
  const names = distinct(pictures.map(({ group }) => group));
  const kept = dataset.examples.length - pictures.length;
  return {
    pictures,
    labels,
    labelOf: placesIn(labels, pictures.map(({ label }) => label)),
    ...(names.length < pictures.length && {
      groups: placesIn(names, pictures.map(({ group }) => group)),
    }),
    notes: [
      ...dataset.notes.filter((note) => !note.endsWith(ON_TAXONOMIES)),
      ...(kept > 0
        ? [`Its test and validation parts, ${kept} pictures, are not learned from.`]
        : []),
    ],
  };
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)];
}

function placesIn(all: readonly string[], words: readonly string[]): number[] {
  const places = new Map(all.map((word, i) => [word, i]));
  return words.map((word) => places.get(word) ?? -1);
}
