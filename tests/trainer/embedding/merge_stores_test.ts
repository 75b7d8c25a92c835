import assert from "node:assert/strict";
import { EmbeddingStore } from "../../../trainer/embedding/embedding_store.ts";
import { mergeStores } from "../../../trainer/embedding/merge_stores.ts";
import type { StoreKey } from "../../../trainer/embedding/store_key.ts";
import { digestOf, KEY } from "./made_up.ts";
import { withFolder } from "./temporary_folder.ts";

const DIGESTS = await Promise.all(["a", "b", "c", "d"].map(digestOf));
const OTHER_KEY: StoreKey = { ...KEY, encoder: "f".repeat(64), size: 2 };

async function fill(cache: string, key: StoreKey, numbers: readonly number[]): Promise<string> {
  const store = await EmbeddingStore.open(cache, key);
  for (const i of numbers) {
    store.add(DIGESTS[i], BigInt(i), new Float32Array(key.size).fill(i + 1));
  }
  store.close();
  return store.folder;
}

/** The first number of each picture's embedding; 0 for those that are not there. */
async function contents(cache: string, key: StoreKey): Promise<number[]> {
  const store = await EmbeddingStore.open(cache, key);
  return await Promise.all(DIGESTS.map(async (digest) => {
    const embedding = new Float32Array(key.size);
    if (store.has(digest)) await store.read(digest, embedding, new BigUint64Array(1));
    return embedding[0];
  }));
}

/** Names and contents of all files below a folder. */
async function snapshot(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (!isDirectory) files.set(path, (await Deno.readFile(path)).join());
    else for (const [file, text] of await snapshot(path)) files.set(file, text);
  }
  return files;
}

Deno.test("mergeStores() copies what several caches have of every encoder, once", () =>
  withFolder(async (folder) => {
    const [one, two, into] = ["one", "two", "into"].map((name) => `${folder}/${name}`);
    await fill(one, KEY, [0, 1]);
    await fill(two, KEY, [1, 2]);
    await fill(two, OTHER_KEY, [3]);
    await fill(into, KEY, [2]);
    await Deno.writeTextFile(`${two}/notes.txt`, "no store");
    const sources = [await snapshot(one), await snapshot(two)];
    assert.deepEqual(await mergeStores([one, two], into), {
      stores: 2,
      added: 3,
      known: 2,
      damaged: 0,
    });
    assert.deepEqual(await contents(into, KEY), [1, 2, 3, 0]);
    assert.deepEqual(await contents(into, OTHER_KEY), [0, 0, 0, 4]);
    assert.deepEqual([await snapshot(one), await snapshot(two)], sources);
  }));

Deno.test("mergeStores() changes nothing the second time", () =>
  withFolder(async (folder) => {
    const [one, into] = [`${folder}/one`, `${folder}/into`];
    await fill(one, KEY, [0, 1, 2]);
    await mergeStores([one], into);
    const before = await snapshot(into);
    assert.deepEqual(await mergeStores([one], into), {
      stores: 1,
      added: 0,
      known: 3,
      damaged: 0,
    });
    assert.deepEqual(await snapshot(into), before);
  }));

Deno.test("mergeStores() leaves damaged records out, and gets them from another cache", () =>
  withFolder(async (folder) => {
    const [one, two, into] = ["one", "two", "into"].map((name) => `${folder}/${name}`);
    const store = await fill(one, KEY, [0, 1, 2]);
    for (const path of (await snapshot(store)).keys()) {
      if (!path.endsWith(".embeddings")) continue;
      const bytes = await Deno.readFile(path);
      bytes[bytes.length / 2] ^= 16;
      await Deno.writeFile(path, bytes);
    }
    const { added, damaged } = await mergeStores([one], into);
    assert.deepEqual([added, damaged], [2, 1]);
    assert.deepEqual(await contents(into, KEY), [1, 0, 3, 0]);
    await fill(two, KEY, [1]);
    await mergeStores([two, one], into);
    assert.deepEqual(await contents(into, KEY), [1, 2, 3, 0]);
  }));

Deno.test("mergeStores() refuses what is no cache, and a cache into itself", () =>
  withFolder(async (folder) => {
    await fill(`${folder}/one`, KEY, [0]);
    await Deno.mkdir(`${folder}/empty/pictures`, { recursive: true });
    const into = `${folder}/into`;
    await assert.rejects(mergeStores([`${folder}/none`], into), /Cannot merge .*none/);
    await assert.rejects(mergeStores([`${folder}/empty`], into), /there are no embeddings in it/);
    await assert.rejects(
      mergeStores([`${folder}/one`], `${folder}/empty/../one`),
      /into itself: name another --cache/,
    );
  }));
