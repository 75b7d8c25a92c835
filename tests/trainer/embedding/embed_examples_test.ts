import assert from "node:assert/strict";
import { ClipEError } from "@clip-e/shared";
import {
  embedExamples,
  type EmbedProgress,
  type Readable,
} from "../../../trainer/embedding/embed_examples.ts";
import { EmbeddingStore } from "../../../trainer/embedding/embedding_store.ts";
import { HandLost } from "../../../trainer/embedding/encoder_hand.ts";
import { type EncoderPool, StartError } from "../../../trainer/embedding/encoder_pool.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { KEY } from "./made_up.ts";
import { withFolder } from "./temporary_folder.ts";

/** An example whose file is its name, or another text. */
function example(name: string, text = name): Readable {
  return { name, read: () => Promise.resolve(new TextEncoder().encode(text)) };
}

/** A pool that does what a function makes of a picture's text. */
function fakePool(embed: (text: string) => Promise<number> | number): EncoderPool {
  return {
    workers: 2,
    size: () => Promise.resolve(KEY.size),
    embed: async (picture) => {
      const value = await embed(new TextDecoder().decode(picture));
      // What is handed over is gone.
      structuredClone(picture, { transfer: [picture.buffer] });
      return { embedding: new Float32Array(KEY.size).fill(value), hash: BigInt(value) };
    },
    close: () => {},
  };
}

async function withStore(test: (store: EmbeddingStore) => Promise<void>): Promise<void> {
  await withFolder(async (cache) => {
    const store = await EmbeddingStore.open(cache, KEY);
    await test(store).finally(() => store.close());
  });
}

/** The first number of each embedding of a run. */
async function valuesOf(store: EmbeddingStore, digests: Uint8Array): Promise<number[]> {
  const count = digests.length / 32;
  const embeddings = new Float32Array(count * KEY.size);
  await store.read(digests, embeddings, new BigUint64Array(count));
  return Array.from({ length: count }, (_, i) => embeddings[i * KEY.size]);
}

Deno.test("embedExamples() embeds each picture once, also one that a data set has twice", () =>
  withStore(async (store) => {
    const seen: string[] = [];
    const pool = fakePool((text) => {
      seen.push(text);
      return Number(text);
    });
    const examples = [example("1"), example("2"), example("one again", "1"), example("3")];
    const run = await embedExamples(examples, pool, store);
    assert.deepEqual(seen.sort(), ["1", "2", "3"]);
    assert.deepEqual(await valuesOf(store, run.digests), [1, 2, 1, 3]);
    assert.deepEqual([...run.isEmbedded], [1, 1, 1, 1]);
    assert.equal(run.cached, 1);
    const { cached } = await embedExamples(examples, pool, store);
    assert.equal(cached, 4);
    assert.equal(seen.length, 3);
  }));

Deno.test("embedExamples() names the pictures that it cannot embed, with why, and goes on", () =>
  withStore(async (store) => {
    const failing = (name: string, error: Error): Readable => ({
      name,
      read: () => Promise.reject(error),
    });
    const pool = fakePool((text) => {
      if (text === "cut off") throw new ClipEError("truncated", "The JPEG ends early");
      return 1;
    });
    const run = await embedExamples(
      [
        example("good"),
        example("cut off"),
        failing("gone", new Deno.errors.NotFound("os error 2")),
        failing("folder", new Deno.errors.IsADirectory("os error 21")),
        failing("closed", new Deno.errors.PermissionDenied("not for you")),
        failing("row", new TrainerError("Row 3 has no picture")),
        example("also good"),
      ],
      pool,
      store,
    );
    assert.deepEqual(run.unreadable, [
      { name: "cut off", why: "The JPEG ends early" },
      { name: "gone", why: "there is no such file" },
      { name: "folder", why: "it is a folder" },
      { name: "closed", why: "not for you" },
      { name: "row", why: "Row 3 has no picture" },
    ]);
    assert.deepEqual([...run.isEmbedded], [1, 0, 0, 0, 0, 0, 1]);
  }));

Deno.test("embedExamples() gives a picture that cost a worker another, and names one that costs two", () =>
  withStore(async (store) => {
    const tries = new Map<string, number>();
    const pool = fakePool((text) => {
      const count = (tries.get(text) ?? 0) + 1;
      tries.set(text, count);
      if (text === "deadly" || (text === "unlucky" && count === 1)) throw new HandLost("It died");
      return 5;
    });
    const run = await embedExamples(
      ["unlucky", "deadly", "good"].map((n) => example(n)),
      pool,
      store,
    );
    assert.deepEqual([...run.isEmbedded], [1, 0, 1]);
    assert.deepEqual(run.unreadable, [{ name: "deadly", why: "it ended two workers: It died" }]);
    assert.deepEqual(Object.fromEntries(tries), { unlucky: 2, deadly: 2, good: 1 });
  }));

Deno.test("embedExamples() ends when workers die whatever the picture, and when none starts", () =>
  withStore(async (store) => {
    const examples = Array.from({ length: 100 }, (_, i) => example(`${i}`));
    let tries = 0;
    const deadly = fakePool(() => {
      tries++;
      throw new HandLost("no memory");
    });
    await assert.rejects(embedExamples(examples, deadly, store), /because: no memory.*--workers/);
    assert.ok(tries < 40, `${tries} tries`);
    const cause = new TrainerError("Cannot run the encoder");
    const unstartable = fakePool(() => {
      throw new StartError("no", { cause });
    });
    await assert.rejects(embedExamples(examples, unstartable, store), cause);
    const faulty = fakePool(() => {
      throw new TypeError("a fault of the program");
    });
    await assert.rejects(embedExamples(examples, faulty, store), TypeError);
  }));

Deno.test("embedExamples() reads in order, a few pictures ahead of the workers", () =>
  withStore(async (store) => {
    let [inMemory, most] = [0, 0];
    const read: string[] = [];
    const examples = Array.from({ length: 60 }, (_, i) => ({
      name: `${i}`,
      read: () => {
        read.push(`${i}`);
        most = Math.max(most, ++inMemory);
        return Promise.resolve(new TextEncoder().encode(`${i}`));
      },
    }));
    const pool = fakePool(async (text) => {
      await new Promise((resolve) => setTimeout(resolve, Number(text) % 3));
      inMemory--;
      return 1;
    });
    await embedExamples(examples, pool, store);
    assert.deepEqual(read, examples.map(({ name }) => name));
    assert.ok(most > pool.workers && most <= 3 * pool.workers, `${most} in memory`);
  }));

Deno.test("embedExamples() tells how far it is", () =>
  withStore(async (store) => {
    const pool = fakePool((text) => {
      if (text === "b") throw new ClipEError("undecodable", "It is none");
      return 1;
    });
    const seen: EmbedProgress[] = [];
    const examples = ["a", "b", "c"].map((name) => example(name));
    await embedExamples(examples, pool, store, { onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(seen.map(({ done }) => done), [1, 2, 3]);
    const { rate, ...last } = seen[2];
    assert.deepEqual(last, { done: 3, total: 3, cached: 0, unreadable: 1 });
    assert.ok(rate > 0);
  }));

Deno.test("embedExamples() keeps what it has when it is stopped", () =>
  withStore(async (store) => {
    const stop = new AbortController();
    const reason = new TrainerError("Stopped");
    let embedded = 0;
    const pool = fakePool(() => {
      if (++embedded === 10) stop.abort(reason);
      return 1;
    });
    const examples = Array.from({ length: 100 }, (_, i) => example(`${i}`));
    await assert.rejects(embedExamples(examples, pool, store, { signal: stop.signal }), reason);
    assert.ok(store.count >= 10 && store.count <= 10 + 3 * pool.workers, `${store.count}`);
    assert.equal(store.count, embedded);
    const { cached } = await embedExamples(examples, pool, store);
    assert.equal(cached, store.count - (100 - cached));
  }));
