import assert from "node:assert/strict";
import { CLIP_PREPROCESSING } from "@clip-e/shared";
import { EmbeddingStore } from "../../../trainer/embedding/embedding_store.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { seededRandom } from "../../random.ts";
import { digestOf, KEY } from "./made_up.ts";
import { withFolder } from "./temporary_folder.ts";

/** Of a record of three numbers: digest, hash, embedding, CRC. */
const RECORD_BYTES = 32 + 8 + 3 * 4 + 4;

const NAMES = ["first", "second", "third", "fourth", "fifth"];
const DIGESTS = await Promise.all(NAMES.map(digestOf));
const vector = (i: number) => Float32Array.of(i + 0.5, -i, 3e-9 * i);
const hash = (i: number) => 0xfedcba9876543210n + BigInt(i);

function addAll(store: EmbeddingStore, numbers: readonly number[]): void {
  for (const i of numbers) store.add(DIGESTS[i], hash(i), vector(i));
}

/** Reads pictures, by their numbers. */
async function readAll(
  store: EmbeddingStore,
  numbers: readonly number[],
): Promise<{ embeddings: Float32Array; hashes: BigUint64Array }> {
  const digests = new Uint8Array(numbers.flatMap((i) => [...DIGESTS[i]]));
  const embeddings = new Float32Array(numbers.length * store.size);
  const hashes = new BigUint64Array(numbers.length);
  await store.read(digests, embeddings, hashes);
  return { embeddings, hashes };
}

/** That a store has just these pictures, as they were. */
async function assertHolds(store: EmbeddingStore, numbers: readonly number[]): Promise<void> {
  assert.deepEqual(
    DIGESTS.map((digest) => store.has(digest)),
    DIGESTS.map((_, i) => numbers.includes(i)),
  );
  assert.equal(store.count, numbers.length);
  const { embeddings, hashes } = await readAll(store, numbers);
  assert.deepEqual(embeddings, new Float32Array(numbers.flatMap((i) => [...vector(i)])));
  assert.deepEqual(hashes, new BigUint64Array(numbers.map(hash)));
}

/** A store's only shard. */
async function shardOf({ folder }: EmbeddingStore): Promise<string> {
  const [shard, ...others] = await shardsOf(folder);
  assert.deepEqual(others, []);
  return shard;
}

async function shardsOf(folder: string): Promise<string[]> {
  const shards: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".embeddings")) shards.push(`${folder}/${name}`);
  }
  return shards.sort();
}

/** A store with the first three pictures, closed. */
async function makeStore(cache: string): Promise<EmbeddingStore> {
  const store = await EmbeddingStore.open(cache, KEY);
  addAll(store, [0, 1, 2]);
  store.close();
  return store;
}

Deno.test("EmbeddingStore keeps embeddings from one run to the next, and reads them in any order", () =>
  withFolder(async (cache) => {
    const first = await EmbeddingStore.open(cache, KEY);
    await assertHolds(first, []);
    addAll(first, [0, 1, 2]);
    await assertHolds(first, [2, 0, 1]);
    first.close();
    const second = await EmbeddingStore.open(cache, KEY);
    addAll(second, [3]);
    await assertHolds(second, [3, 1, 0, 2]);
    second.close();
    const third = await EmbeddingStore.open(cache, KEY);
    await assertHolds(third, [0, 1, 2, 3]);
    assert.deepEqual(
      (await readAll(third, [1, 1])).embeddings,
      Float32Array.of(...vector(1), ...vector(1)),
    );
    await assert.rejects(readAll(third, [4]), /the store does not have it/);
  }));

Deno.test("EmbeddingStore makes no file before there is something to keep, and keeps a picture once", () =>
  withFolder(async (cache) => {
    const store = await EmbeddingStore.open(cache, KEY);
    assert.deepEqual(await shardsOf(store.folder), []);
    addAll(store, [0, 0]);
    store.close();
    assert.equal((await Deno.stat(await shardOf(store))).size, RECORD_BYTES);
  }));

for (const lost of [1, 5, RECORD_BYTES - 1]) {
  Deno.test(`EmbeddingStore leaves out a record whose last ${lost} bytes were never written`, () =>
    withFolder(async (cache) => {
      const shard = await shardOf(await makeStore(cache));
      await Deno.truncate(shard, 3 * RECORD_BYTES - lost);
      const store = await EmbeddingStore.open(cache, KEY);
      await assertHolds(store, [0, 1]);
      // Whoever comes later writes elsewhere: what is behind the torn end stays readable.
      addAll(store, [2, 3]);
      store.close();
      await assertHolds(await EmbeddingStore.open(cache, KEY), [0, 1, 2, 3]);
    }));
}

Deno.test("EmbeddingStore leaves out a record with one flipped bit, wherever it is", () =>
  withFolder(async (cache) => {
    const shard = await shardOf(await makeStore(cache));
    const bytes = await Deno.readFile(shard);
    for (let at = 0; at < RECORD_BYTES; at++) {
      const changed = bytes.slice();
      changed[RECORD_BYTES + at] ^= 1 << at % 8;
      await Deno.writeFile(shard, changed);
      const store = await EmbeddingStore.open(cache, KEY);
      assert.equal(store.damaged, 1, `byte ${at}`);
      await assertHolds(store, [0, 2]);
    }
  }));

Deno.test("EmbeddingStore never reads a record that was changed after it was opened", () =>
  withFolder(async (cache) => {
    const shard = await shardOf(await makeStore(cache));
    const store = await EmbeddingStore.open(cache, KEY);
    const bytes = await Deno.readFile(shard);
    bytes[RECORD_BYTES + 45] ^= 1;
    await Deno.writeFile(shard, bytes);
    await assert.rejects(readAll(store, [0, 1]), TrainerError);
    await Deno.truncate(shard, RECORD_BYTES);
    await assert.rejects(readAll(store, [0, 2]), /was changed while it was in use/);
    assert.deepEqual((await readAll(store, [0])).embeddings, vector(0));
  }));

Deno.test("EmbeddingStore begins another file before one becomes too large", () =>
  withFolder(async (cache) => {
    const shardBytes = 2 * RECORD_BYTES + 10;
    const store = await EmbeddingStore.open(cache, KEY, { shardBytes, label: "3-of-8" });
    addAll(store, [0, 1, 2, 3, 4]);
    await assertHolds(store, [4, 3, 2, 1, 0]);
    store.close();
    const shards = await shardsOf(store.folder);
    assert.deepEqual(
      await Promise.all(shards.map(async (shard) => (await Deno.stat(shard)).size / RECORD_BYTES)),
      [2, 2, 1],
    );
    assert.ok(shards.every((shard) => shard.includes("/3-of-8-")));
    await assertHolds(await EmbeddingStore.open(cache, KEY), [0, 1, 2, 3, 4]);
  }));

Deno.test("EmbeddingStore lets two write at a time, each into files of its own", () =>
  withFolder(async (cache) => {
    const one = await EmbeddingStore.open(cache, KEY);
    const other = await EmbeddingStore.open(cache, KEY);
    addAll(one, [0]);
    addAll(other, [1]);
    addAll(one, [2, 4]);
    addAll(other, [3, 4]);
    await assertHolds(one, [0, 2, 4]);
    await assertHolds(other, [1, 3, 4]);
    one.close();
    other.close();
    assert.equal((await shardsOf(one.folder)).length, 2);
    await assertHolds(await EmbeddingStore.open(cache, KEY), [0, 1, 2, 3, 4]);
  }));

Deno.test("EmbeddingStore never mixes encoders, preprocessings, sizes or backends", () =>
  withFolder(async (cache) => {
    const { folder } = await makeStore(cache);
    const shard = (await shardsOf(folder))[0];
    const others = [
      { ...KEY, encoder: "f".repeat(64) },
      { ...KEY, preprocessing: { ...CLIP_PREPROCESSING, resize: 256 } },
      { ...KEY, size: 4 },
      { ...KEY, backend: "wasm" as const },
    ];
    for (const key of others) {
      const store = await EmbeddingStore.open(cache, key);
      assert.notEqual(store.folder, folder);
      assert.equal(store.count, 0);
      // Nor where a file is copied into the wrong folder.
      await Deno.copyFile(shard, `${store.folder}/copied.embeddings`);
      assert.equal((await EmbeddingStore.open(cache, key)).count, 0);
    }
  }));

Deno.test("EmbeddingStore refuses a folder whose key was changed, and one that cannot be made", () =>
  withFolder(async (cache) => {
    const { folder } = await makeStore(cache);
    const key = await Deno.readTextFile(`${folder}/key.json`);
    await Deno.writeTextFile(`${folder}/key.json`, key.replace('"size":3', '"size":4'));
    await assert.rejects(EmbeddingStore.open(cache, KEY), /its key\.json was changed/);
    await Deno.writeTextFile(`${cache}/file`, "");
    await assert.rejects(EmbeddingStore.open(`${cache}/file`, KEY), TrainerError);
  }));

Deno.test("EmbeddingStore finds each of many pictures", () =>
  withFolder(async (cache) => {
    const count = 3000;
    const digests = seededRandom(5).bytes(count * 32);
    const digest = (i: number) => digests.subarray(i * 32, (i + 1) * 32);
    const store = await EmbeddingStore.open(cache, KEY, { shardBytes: 50_000 });
    for (let i = 0; i < count; i++) store.add(digest(i), BigInt(i), Float32Array.of(i, 0, 0));
    store.close();
    const again = await EmbeddingStore.open(cache, KEY);
    const order = Array.from({ length: count }, (_, i) => i * 7 % count);
    const embeddings = new Float32Array(count * 3);
    const hashes = new BigUint64Array(count);
    await again.read(new Uint8Array(order.flatMap((i) => [...digest(i)])), embeddings, hashes);
    assert.deepEqual([...hashes].map(Number), order);
    assert.deepEqual(order.map((_, row) => embeddings[row * 3]), order);
  }));
