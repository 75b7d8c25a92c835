/**
 * Data sets to embeddings, with progress; what cannot be read is told.
 */

import type { Dataset, Example } from "../data/dataset.ts";
import type { EmbeddedExamples, Embedder } from "../embedding/embedder.ts";
import { TrainerError } from "../errors.ts";
import { startProgress } from "../progress.ts";

/** A data set's readable pictures, embedded. */
export interface LoadedData extends EmbeddedExamples<Example> {
  /** What was read. */
  readonly dataset: Dataset;
}

/** Unreadable pictures that are named on the screen; reports name all. */
const NAMED = 10;

/**
 * Embeds a data set.
 *
 * @param dataset which
 * @param embedder by which
 * @param signal ends the work; what is done stays in the cache
 * @throws {TrainerError} when none of its pictures can be read
 */
export async function loadData(
  dataset: Dataset,
  embedder: Embedder,
  signal: AbortSignal,
): Promise<LoadedData> {
  const data = await embed(dataset, embedder, signal);
  for (const { name, why } of data.unreadable.slice(0, NAMED)) {
    console.error(`Left out ${name}: ${why}`);
  }
  const more = data.unreadable.length - NAMED;
  if (more > 0) console.error(`Left out ${more} more`);
  if (data.examples.length > 0) return { ...data, dataset };
  throw new TrainerError(`None of the pictures of ${dataset.name} can be read`);
}

async function embed(dataset: Dataset, embedder: Embedder, signal: AbortSignal) {
  const progress = startProgress(`Embedding ${dataset.name}`, dataset.examples.length);
  try {
    return await embedder.embed(dataset.examples, {
      signal,
      onProgress: ({ done, cached, rate }) => {
        progress.set(done, cached);
        if (rate > 0) progress.note(`${rate.toFixed(0)} a second`);
      },
    });
  } finally {
    await progress.stop();
  }
}

/**
 * Reads pictures again, by data set and name.
 *
 * @param loaded whose
 */
export function pictureReader(
  loaded: readonly LoadedData[],
): (dataset: string, name: string) => Promise<Uint8Array | undefined> {
  return async (dataset, name) => {
    const examples = loaded.find((data) => data.dataset.name === dataset)?.examples ?? [];
    return await examples.find((example) => example.name === name)?.read();
  };
}
