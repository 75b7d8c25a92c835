/**
 * What an isolate does with its one chance to open the bundle, and with its memory.
 */

import assert from "node:assert/strict";
import sharp from "sharp";
import { readPicture } from "../golden_file.ts";
import { type MeasuredWorker, startMeasuredWorker, TINY } from "./measured_worker.ts";
import { openRequest, writeAll } from "./raw_http.ts";
import { ignoreWorkers } from "./worker_left_out.ts";

const ignore = ignoreWorkers;
const MEGABYTE = 1_000_000;

async function withWorker(use: (worker: MeasuredWorker) => Promise<void>): Promise<void> {
  const worker = await startMeasuredWorker(TINY);
  try {
    await use(worker);
  } finally {
    assert.deepEqual(await worker.stop(), [], "processes stayed");
  }
}

function post({ url }: MeasuredWorker, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(`${url}/v1/classify?top=1`, {
    method: "POST",
    body,
    signal: AbortSignal.timeout(20_000),
  });
}

Deno.test({
  name: "an isolate reads nothing before its first request, and eight at once open the bundle once",
  ignore,
  async fn() {
    await withWorker(async (worker) => {
      assert.equal(await (await fetch(`${worker.url}/healthz`)).text(), "ok");
      const before = await worker.measure();
      assert.deepEqual(before.asked, []);
      assert.deepEqual(before.memories, [64 * 1024], "the resampler's, which is a page");

      const picture = await readPicture("small.jpg");
      const answers = await Promise.all(Array.from({ length: 8 }, () => post(worker, picture)));
      const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
      assert.deepEqual(answers.map(({ status }) => status), Array(8).fill(200));
      assert.equal(bodies.size, 1);
      const { asked, instances } = await worker.measure();
      assert.equal(asked.filter((path) => path === "/bundle/encoder.onnx").length, 1);
      assert.equal(asked.filter((path) => path === "/bundle/manifest.json").length, 1);
      assert.equal(instances, 3, "and ONNX Runtime's, and that of the one decoder that was needed");

      const png = await post(worker, await readPicture("rgba.png"));
      assert.deepEqual((await png.json()).image, { width: 167, height: 113 });
      assert.equal(
        (await worker.measure()).instances,
        4,
        "and the PNG decoder, when the first PNG came",
      );
    });
  },
});

Deno.test({
  name: "callers who hang up, the first of all among them, keep nobody from being answered",
  ignore,
  async fn() {
    await withWorker(async (worker) => {
      const picture = await readPicture("storm.jpg");
      const { port } = new URL(worker.url);
      const hangUp = async () => {
        const connection = await openRequest(Number(port), [
          "POST /v1/classify HTTP/1.1",
          "Host: localhost",
          `Content-Length: ${picture.length}`,
        ]);
        await writeAll(connection, picture);
        await new Promise((resolve) => setTimeout(resolve, 5));
        connection.close();
      };
      for (let round = 0; round < 5; round++) {
        await Promise.all(Array.from({ length: 3 }, hangUp));
        const response = await post(worker, picture);
        await response.body?.cancel();
        assert.ok([200, 503].includes(response.status), `${response.status}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal((await post(worker, picture)).status, 200);
    });
  },
});

/** Pictures of every kind, of 0.1 to 4 megapixels. */
async function makePictures(): Promise<Uint8Array<ArrayBuffer>[]> {
  const sizes = [[400, 250], [1000, 1000], [1600, 1250], [2000, 2000]] as const;
  const source = sharp(await readPicture("storm.jpg"));
  const pictures: Uint8Array<ArrayBuffer>[] = [];
  for (const [width, height] of sizes) {
    const picture = () => source.clone().resize(width, height, { fit: "fill" });
    const files = [
      picture().jpeg({ quality: 85 }),
      picture().jpeg({ quality: 90, progressive: true, chromaSubsampling: "4:4:4" }),
      picture().png({ compressionLevel: 3 }),
      picture().webp({ quality: 80, effort: 0 }),
      picture().webp({ lossless: true, effort: 0 }),
    ];
    for (const file of files) pictures.push(new Uint8Array(await file.toBuffer()));
  }
  return pictures;
}

Deno.test({
  name:
    "100 mixed pictures of up to 4 megapixels leave the embedded bundle's WebAssembly below 64 MB",
  ignore,
  async fn() {
    await withWorker(async (worker) => {
      const pictures = await makePictures();
      const held = async () => (await worker.measure()).memories.reduce((a, b) => a + b) / MEGABYTE;
      let most = 0;
      for (let i = 0; i < 100; i++) {
        const response = await post(worker, pictures[(i * 7) % pictures.length]);
        const answer = await response.json();
        assert.equal(response.status, 200, JSON.stringify(answer));
        most = Math.max(most, await held());
      }
      const before = await held();
      await worker.collectGarbage();
      const after = await held();
      const { memories, instances } = await worker.measure();
      console.log(
        `${
          after.toFixed(1)
        } MB of WebAssembly held after 100 pictures, in ${memories.length} of ${instances} memories; ` +
          `${before.toFixed(1)} MB before V8 collected, ${most.toFixed(1)} MB at most on the way`,
      );
      assert.ok(after <= 64);
      assert.ok(after > 16, "it was measured");
    });
  },
});
