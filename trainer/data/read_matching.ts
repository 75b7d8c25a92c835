/**
 * Data sets to measure on: where nothing says what their labels are of, it is the taxonomy that has all of them.
 */

import type { LabelName, Taxonomy } from "@clip-e/shared";
import type { Dataset } from "./dataset.ts";
import { readDataset, type ReadDatasetOptions } from "./read_dataset.ts";

/**
 * Reads a data set to measure on.
 *
 * @param spec form and path
 * @param options how to read it
 * @param taxonomies that can be measured
 * @returns with no taxonomy, where its labels are of none of them
 * @throws {TrainerError} when it cannot be read
 */
export async function readMatching(
  spec: string,
  options: ReadDatasetOptions,
  taxonomies: readonly Taxonomy<LabelName>[],
): Promise<Dataset> {
  const dataset = await readDataset(spec, options);
  if (dataset.taxonomies.size > 0) return dataset;
  const match = taxonomies.find(({ labels }) =>
    dataset.labels.every((label) => labels.some(({ id }) => id === label))
  );
  if (!match) return dataset;
  await dataset.close?.();
  return await readDataset(spec, { ...options, taxonomy: match.id });
}
