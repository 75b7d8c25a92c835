/**
 * What there is to answer for a data set's pictures: a task is one taxonomy, and each picture's label in it.
 */

import {
  findTaxonomy,
  type LabelName,
  type Prompts,
  type Scoring,
  type Taxonomy,
} from "@clip-e/shared";
import type { Dataset, LabelMap } from "../data/dataset.ts";
import { TrainerError } from "../errors.ts";

/** A taxonomy's prompts in the encoder's text space, and how cosines to them become scores. */
export interface TaskPrompts {
  /** Unit vectors, in the order of labels. */
  readonly prompts: Prompts;
  /** Of the zero-shot method. */
  readonly scoring: Scoring;
}

/** One taxonomy to answer for. */
export interface Task {
  /** Its labels, in the order of logits. */
  readonly taxonomy: Taxonomy<LabelName>;
  /** What the data set's labels are in it. */
  readonly labelOf: LabelMap;
  /** There where the encoder has a text tower whose prompts are known. */
  readonly zeroShot?: TaskPrompts;
}

/** What a manifest takes as an id. */
const ID = /^[a-z0-9][a-z0-9._-]*$/;

/**
 * Finds the tasks of a data set.
 *
 * @param dataset whose labels are known in some taxonomies, or are the user's own
 * @param ids asked for; by default all that the data set knows of
 * @param zeroShot by taxonomy
 * @param isStrict whether every label must be one of the first taxonomy's: the user said that they are
 * @returns finest first
 * @throws {TrainerError} when a label has no place in a taxonomy that was asked for
 */
export function findTasks(
  dataset: Dataset,
  ids: readonly string[],
  zeroShot: ReadonlyMap<string, TaskPrompts>,
  isStrict = false,
): Task[] {
  if (ids.length === 0 && dataset.taxonomies.size === 0) {
    throw new TrainerError(
      `Nothing says what the labels of ${dataset.name} are (${list(dataset.labels)}): ` +
        "name a taxonomy, of the project or your own, with --taxonomy",
    );
  }
  if (isStrict && ids.length > 0) checkLabels(ids[0], dataset);
  const wanted = ids.length > 0 ? ids : [...dataset.taxonomies.keys()];
  const tasks = wanted.map((id): Task => {
    const known = dataset.taxonomies.get(id);
    const taxonomy = known ? knownTaxonomy(id, known) : ownTaxonomy(id, dataset);
    const prompted = zeroShot.get(id);
    return {
      taxonomy,
      labelOf: known ?? new Map(dataset.labels.map((label) => [label, label])),
      ...(prompted && prompted.prompts.count === taxonomy.labels.length && { zeroShot: prompted }),
    };
  });
  return tasks.sort((a, b) => b.taxonomy.labels.length - a.taxonomy.labels.length);
}

/**
 * Each picture's label.
 *
 * @param task whose labels are meant
 * @param labels the pictures', in the data set's words
 * @returns `[N]`: a place in the taxonomy, or -1 for a label without a counterpart
 */
export function taskTargets({ taxonomy, labelOf }: Task, labels: readonly string[]): Int32Array {
  const places = new Map(taxonomy.labels.map(({ id }, k) => [id, k]));
  return Int32Array.from(labels, (label) => places.get(labelOf.get(label) ?? "") ?? -1);
}

function knownTaxonomy(id: string, labelOf: LabelMap): Taxonomy<LabelName> {
  return findTaxonomy(id) ?? titled(id, [...new Set(labelOf.values())].sort());
}

/** A taxonomy of the user's own, of the labels that the data has. */
function ownTaxonomy(id: string, { labels, name, taxonomies }: Dataset): Taxonomy<LabelName> {
  if (taxonomies.size > 0) {
    throw new TrainerError(
      `The labels of ${name} are known in the taxonomies ${list([...taxonomies.keys()])}, ` +
        `not in ${id}`,
    );
  }
  return titled(id, labels);
}

function checkLabels(id: string, { labels }: Dataset): void {
  const ids = findTaxonomy(id)?.labels.map((label) => label.id);
  const stray = ids && labels.find((label) => !ids.includes(label));
  if (ids === undefined || stray === undefined) return;
  throw new TrainerError(
    `The data has the label ${JSON.stringify(stray)}, which ${id} does not: it has ${list(ids)}. ` +
      "Rename the labels, or name a taxonomy of your own",
  );
}

function titled(id: string, labels: readonly string[]): Taxonomy<LabelName> {
  const bad = labels.find((label) => !ID.test(label));
  if (bad !== undefined) {
    throw new TrainerError(
      `The label ${JSON.stringify(bad)} cannot be served: use lower-case letters, digits, . _ -`,
    );
  }
  const title = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
  return { id, title: title(id), labels: labels.map((id) => ({ id, title: title(id) })) };
}

function list(words: readonly string[]): string {
  return words.length > 12 ? `${words.slice(0, 12).join(", ")} ...` : words.join(", ");
}
