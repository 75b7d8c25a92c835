/**
 * Many caches to one: what several machines embedded, each into a folder of its own, becomes one cache. Records are copied
 * one by one, each checked, and none that is there already: merging twice, or again after it was cut off, does no harm.
 */

import { TrainerError } from "../errors.ts";
import { EmbeddingStore } from "./embedding_store.ts";
import { readStoreKey, type StoreKey } from "./store_key.ts";

/** What a merge did. */
export interface MergeReport {
  /** How many stores, of an encoder and preprocessing each, the caches had. */
  readonly stores: number;
  /** Pictures that were copied. */
  readonly added: number;
  /** Pictures that were there already. */
  readonly known: number;
  /** Records of the sources that were left out, as they are not what was once written. */
  readonly damaged: number;
}

/**
 * Merges caches.
 *
 * @param sources folders of caches, which stay as they are
 * @param target folder of the cache that gets everything; made if need be
 * @param signal ends the work, and what is copied stays
 * @throws {TrainerError} when a source is no cache, or what was written cannot be read back
 */
export async function mergeStores(
  sources: readonly string[],
  target: string,
  signal?: AbortSignal,
): Promise<MergeReport> {
  const found = await Promise.all(sources.map(findStores));
  await Deno.mkdir(target, { recursive: true });
  const own = await Deno.realPath(target);
  for (const source of sources) {
    if (await Deno.realPath(source) === own) {
      throw new TrainerError(`Cannot merge ${source} into itself: name another --cache`);
    }
  }
  const report = { stores: 0, added: 0, known: 0, damaged: 0 };
  for (const [name, key] of new Map(found.flatMap((stores) => [...stores]))) {
    const into = await EmbeddingStore.open(target, key, { label: "merged" });
    try {
      for (const [i, source] of sources.entries()) {
        signal?.throwIfAborted();
        if (!found[i].has(name)) continue;
        const from = await EmbeddingStore.open(source, key);
        report.damaged += from.damaged;
        await from.scan((record) => report[into.addRecord(record) ? "added" : "known"]++);
      }
    } finally {
      into.close();
    }
    await checkWritten(target, key, into.count);
    report.stores++;
  }
  return report;
}

/** The stores of a cache, by the names of their folders. */
async function findStores(cache: string): Promise<ReadonlyMap<string, StoreKey>> {
  const stores = new Map<string, StoreKey>();
  try {
    for await (const { name } of Deno.readDir(cache)) {
      const key = await readStoreKey(cache, name);
      if (key) stores.set(name, key);
    }
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof TrainerError) throw cause;
    throw new TrainerError(`Cannot merge ${cache}: ${cause.message}`, { cause });
  }
  if (stores.size > 0) return stores;
  throw new TrainerError(
    `Cannot merge ${cache}: there are no embeddings in it. Name folders that were a --cache`,
  );
}

/** Reads a store as the next run will. */
async function checkWritten(cache: string, key: StoreKey, count: number): Promise<void> {
  const { count: read, folder } = await EmbeddingStore.open(cache, key);
  if (read >= count) return;
  throw new TrainerError(
    `Cannot read back what was merged: ${folder} has ${read} pictures, and should have ${count}. ` +
      "Look at the disk, then merge again",
  );
}
