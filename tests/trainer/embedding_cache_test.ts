import { CLIP_PREPROCESSING, sha256 } from "@clip-e/shared";
import assert from "node:assert/strict";
import { EmbeddingCache } from "../../trainer/embedding_cache.ts";

const KEY = { encoder: "e".repeat(64), preprocessing: CLIP_PREPROCESSING, size: 3 };
const PICTURE = await sha256(new TextEncoder().encode("a picture"));
const OTHER = await sha256(new TextEncoder().encode("another"));

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function cacheFile(folder: string): Promise<string> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  assert.equal(names.length, 1);
  return `${folder}/${names[0]}`;
}

Deno.test("EmbeddingCache keeps embeddings from one run to the next", () =>
  withFolder(async (folder) => {
    const first = await EmbeddingCache.open(folder, KEY);
    assert.equal(first.get(PICTURE), undefined);
    await first.add(PICTURE, Float32Array.of(1, -2.5, 3e-9));
    first.close();
    const second = await EmbeddingCache.open(folder, KEY);
    assert.deepEqual(second.get(PICTURE), Float32Array.of(1, -2.5, 3e-9));
    assert.equal(second.get(OTHER), undefined);
    second.close();
  }));

Deno.test("EmbeddingCache cuts off a record that a killed run left broken, and goes on", () =>
  withFolder(async (folder) => {
    const first = await EmbeddingCache.open(folder, KEY);
    await first.add(PICTURE, Float32Array.of(1, 2, 3));
    await first.add(OTHER, Float32Array.of(4, 5, 6));
    first.close();
    const path = await cacheFile(folder);
    await Deno.truncate(path, (await Deno.stat(path)).size - 5);

    const second = await EmbeddingCache.open(folder, KEY);
    assert.deepEqual(second.get(PICTURE), Float32Array.of(1, 2, 3));
    assert.equal(second.get(OTHER), undefined);
    await second.add(OTHER, Float32Array.of(7, 8, 9));
    second.close();
    const third = await EmbeddingCache.open(folder, KEY);
    assert.deepEqual(third.get(OTHER), Float32Array.of(7, 8, 9));
    third.close();
  }));

Deno.test("EmbeddingCache never mixes encoders or preprocessings", () =>
  withFolder(async (folder) => {
    const first = await EmbeddingCache.open(folder, KEY);
    await first.add(PICTURE, Float32Array.of(1, 2, 3));
    first.close();
    const others = [
      { ...KEY, encoder: "f".repeat(64) },
      { ...KEY, preprocessing: { ...CLIP_PREPROCESSING, resize: 256 } },
    ];
    for (const key of others) {
      const cache = await EmbeddingCache.open(folder, key);
      assert.equal(cache.get(PICTURE), undefined);
      cache.close();
    }
  }));
