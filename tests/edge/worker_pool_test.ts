import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { folderSource } from "../../edge/adapter/deno/folder_source.ts";
import { createWorkerPool } from "../../edge/adapter/deno/worker_pool.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";

const path = await Deno.makeTempDir({ prefix: "clip_e_pool_" });

Deno.test.beforeAll(async () => {
  await writeBundleFiles((await makeSyntheticBundle()).files, pathToFileURL(`${path}/`));
});
Deno.test.afterAll(() => Deno.remove(path, { recursive: true }));

Deno.test("createWorkerPool() says what a classifier in this thread says", async () => {
  const pool = await createWorkerPool({ bundle: path, workers: 2, backend: "wasm" });
  const single = await createClassifier({ bundle: folderSource(path) });
  assert.deepEqual(pool.model, single.model);
  assert.equal(pool.concurrency, 2);
  for (const name of ["storm.jpg", "rgba.png"]) {
    const { image, predictions } = await pool.classify(await readPicture(name), { top: 2 });
    const expected = await single.classify(await readPicture(name), { top: 2 });
    assert.deepEqual({ image, predictions }, {
      image: expected.image,
      predictions: expected.predictions,
    });
    const { embedding } = await pool.embed(await readPicture(name));
    assert.deepEqual(embedding, (await single.embed(await readPicture(name))).embedding);
  }
  await pool.close();
  await single.close();
});

Deno.test("createWorkerPool() answers more pictures at once than it has workers", async () => {
  const pool = await createWorkerPool({ bundle: path, workers: 2, backend: "wasm" });
  const names = [
    "small.jpg",
    "bad/corrupt.png",
    "rgba.png",
    "tall.jpg",
    "bad/notes.txt",
    "wide.jpg",
  ];
  const outcomes = await Promise.allSettled(
    names.map(async (name) => (await pool.classify(await readPicture(name))).image),
  );
  assert.deepEqual(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.code),
    [
      { width: 97, height: 61 },
      "undecodable",
      { width: 167, height: 113 },
      { width: 40, height: 900 },
      "unsupported-type",
      { width: 900, height: 40 },
    ],
  );
  await pool.close();
});

Deno.test("createWorkerPool() refuses a wrong question without taking the picture", async () => {
  const pool = await createWorkerPool({ bundle: path, workers: 1, backend: "wasm" });
  const picture = await readPicture("small.jpg");
  await assert.rejects(pool.classify(picture, { taxonomies: ["mood"] }), {
    name: "ClipEError",
    code: "unknown-taxonomy",
  });
  assert.ok(picture.length > 0, "its bytes were handed over");
  await pool.classify(picture);
  assert.equal(picture.length, 0);
  await pool.close();
});

Deno.test("createWorkerPool() hands its limits on to the workers", async () => {
  const pool = await createWorkerPool({
    bundle: path,
    workers: 1,
    backend: "wasm",
    maxPixels: 100,
  });
  await assert.rejects(pool.classify(await readPicture("small.jpg")), { code: "too-many-pixels" });
  await pool.close();
  await assert.rejects(
    createWorkerPool({ bundle: path, workers: 2, backend: "wasm", digest: "sha256:0" }),
    { name: "ClipEError", code: "invalid-bundle", message: /digest/ },
  );
});

/** What a worker of the test does with a job, by the picture's first byte. */
const DIE = 1;
const FAIL = 2;
const STAY = 3;
const TURN = 4;

/** What a worker of the test says of its model. */
const modelOn = (backend: string) => ({ taxonomies: [], encoder: { backend } });

/** Puts workers of the test's own in the place of real ones. */
async function withFakeWorkers(
  mayStart: (count: number) => boolean,
  use: (started: () => number, alive: () => number) => Promise<void>,
): Promise<void> {
  let started = 0;
  let alive = 0;
  class FakeWorker extends EventTarget {
    onmessage: ((event: MessageEvent) => void) | null = null;
    onerror: ((event: ErrorEvent) => void) | null = null;
    #isAlive = false;

    postMessage(message: { bundle: string } | { input: Uint8Array }): void {
      setTimeout(() => this.#answer(message), 1);
    }

    terminate(): void {
      if (this.#isAlive) alive--;
      this.#isAlive = false;
    }

    #answer(message: { bundle: string } | { input: Uint8Array }): void {
      const say = (data: object) => this.onmessage?.(new MessageEvent("message", { data }));
      if ("bundle" in message) {
        if (!mayStart(++started)) {
          return say({ error: { message: "gone", code: "invalid-bundle" } });
        }
        alive++;
        this.#isAlive = true;
        return say({ model: modelOn("native") });
      }
      const [byte] = message.input;
      if (byte === STAY || !this.#isAlive) return;
      if (byte === DIE) {
        this.onerror?.(new ErrorEvent("error", { message: "out of memory", cancelable: true }));
      } else if (byte === FAIL) say({ error: { message: "odd" } });
      else {
        const result = { image: { width: byte, height: 1 } };
        say({ result, ...(byte === TURN && { changed: modelOn("wasm") }) });
      }
    }
  }
  const { Worker } = globalThis;
  globalThis.Worker = FakeWorker as unknown as typeof Worker;
  try {
    await use(() => started, () => alive);
  } finally {
    globalThis.Worker = Worker;
  }
}

Deno.test("createWorkerPool() replaces a worker that dies, and answers all but the picture that killed it", async () => {
  await withFakeWorkers(() => true, async (started, alive) => {
    const pool = await createWorkerPool({ bundle: "x", backend: "wasm", workers: 2 });
    const bytes = [5, DIE, 6, 7, DIE, 8, FAIL, 9];
    const outcomes = await Promise.allSettled(
      bytes.map(async (byte) => (await pool.embed(Uint8Array.of(byte))).image.width),
    );
    assert.deepEqual(
      outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.message),
      [
        5,
        "A worker died: out of memory",
        6,
        7,
        "A worker died: out of memory",
        8,
        "odd",
        9,
      ],
    );
    assert.equal(started(), 4, "two at first, and one for each that died");
    assert.equal(alive(), 2);
    await pool.close();
    assert.equal(alive(), 0);
  });
});

Deno.test("createWorkerPool() says what serves after a worker turned to another backend", async () => {
  await withFakeWorkers(() => true, async () => {
    const pool = await createWorkerPool({ bundle: "x", backend: "wasm", workers: 2 });
    await pool.embed(Uint8Array.of(5));
    assert.equal(pool.model.encoder.backend, "native");
    const { image } = await pool.embed(Uint8Array.of(TURN));
    assert.equal(image.width, TURN);
    assert.equal(pool.model.encoder.backend, "wasm");
    await Promise.all([6, 7, 8].map((byte) => pool.embed(Uint8Array.of(byte))));
    assert.equal(pool.model.encoder.backend, "wasm");
    await pool.close();
  });
});

Deno.test("createWorkerPool() lets nobody wait for ever while no worker can be had, and tries again", async () => {
  const heard: unknown[] = [];
  await withFakeWorkers((count) => count === 1 || count > 3, async (started) => {
    const pool = await createWorkerPool({
      bundle: "x",
      backend: "wasm",
      workers: 1,
      onError: (error) => heard.push(error),
    });
    const outcomes = await Promise.allSettled(
      [DIE, 5, 6].map((byte) => pool.embed(Uint8Array.of(byte))),
    );
    assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
    assert.ok(heard.length > 0);
    await assert.rejects(pool.embed(Uint8Array.of(7)), { code: "invalid-bundle" });
    assert.equal((await pool.embed(Uint8Array.of(8))).image.width, 8);
    assert.equal(started(), 4);
    await pool.close();
  });
});

Deno.test("createWorkerPool() ends a worker that takes too long, and goes on with another", async () => {
  await withFakeWorkers(() => true, async (started, alive) => {
    const pool = await createWorkerPool({
      bundle: "x",
      backend: "wasm",
      workers: 1,
      jobTimeout: 30,
    });
    const outcomes = await Promise.allSettled(
      [5, STAY, 6].map(async (byte) => (await pool.embed(Uint8Array.of(byte))).image.width),
    );
    assert.deepEqual(
      outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.code),
      [5, "undecodable", 6],
    );
    assert.equal(started(), 2);
    assert.equal(alive(), 1);
    await pool.close();
  });
});

Deno.test("createWorkerPool() leaves nobody waiting when it is closed, and takes no more", async () => {
  await withFakeWorkers(() => true, async (_, alive) => {
    const pool = await createWorkerPool({ bundle: "x", backend: "wasm", workers: 1 });
    const outcomes = Promise.allSettled(
      [STAY, 5].map((byte) => pool.embed(Uint8Array.of(byte))),
    );
    await pool.close();
    assert.deepEqual((await outcomes).map(({ status }) => status), ["rejected", "rejected"]);
    await assert.rejects(pool.embed(Uint8Array.of(5)), { name: "ClipEError" });
    assert.equal(alive(), 0);
  });
});

Deno.test("createWorkerPool() leaves no worker behind when one of them does not start", async () => {
  for (const bad of [1, 2, 3]) {
    await withFakeWorkers((count) => count !== bad, async (_, alive) => {
      await assert.rejects(createWorkerPool({ bundle: "x", backend: "wasm", workers: 3 }), {
        code: "invalid-bundle",
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(alive(), 0, `when it is number ${bad}`);
    });
  }
});
