import assert from "node:assert/strict";
import { createClassifier } from "../../edge/classifier.ts";
import { METHODS } from "../../edge/model_info.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { testApi } from "./api_suite.ts";
import { assertProblem } from "./assert_problem.ts";
import { classifyOverHttp, scoresByLabel } from "./classify_over_http.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { testUploads } from "./upload_suite.ts";
import { ignoreWorkers } from "./worker_left_out.ts";
import { startWorker, type WorkerProcess } from "./worker_process.ts";

const ignore = ignoreWorkers;
const bundle = await makeSyntheticBundle();
let worker: WorkerProcess;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  const folder = await makeTemporaryFolder("workerd");
  try {
    await writeBundleFiles(bundle.files, folder.url);
    worker = await startWorker(folder.path);
  } finally {
    await folder.remove();
  }
});
Deno.test.afterAll(async () => {
  if (worker) assert.deepEqual(await worker.stop(), [], "processes stayed");
});

testApi({ name: "the Worker", url: () => worker.url, ignore }, bundle);
testUploads({ name: "the Worker", url: () => worker.url, ignore });

Deno.test({
  name: "the Worker says what the library says, by every method",
  ignore,
  async fn() {
    const library = await createClassifier({
      bundle: { read: (path) => Promise.resolve(bundle.files.get(path)) },
    });
    for (const name of ["storm.jpg", "rgba.png", "lossy.webp", "exif_6.jpg", "grey_16_bit.png"]) {
      for (const method of METHODS) {
        const query = `method=${method}`;
        const actual = await classifyOverHttp(worker.url, await readPicture(name), query);
        const expected = await library.classify(await readPicture(name), { method });
        assert.deepEqual(actual.image, expected.image);
        assert.deepEqual(
          actual.predictions.map(({ taxonomy }) => taxonomy),
          expected.predictions.map(({ taxonomy }) => taxonomy),
        );
        for (const [k, { taxonomy, scores }] of expected.predictions.entries()) {
          const byLabel = scoresByLabel(actual.predictions[k].scores);
          for (const { label, score } of scores) {
            const difference = Math.abs(score - (byLabel.get(label) ?? NaN));
            assert.ok(difference < 1e-5, `${name} ${method} ${taxonomy} ${label}: ${difference}`);
          }
        }
      }
    }
    await library.close();
  },
});

Deno.test({
  name: "the Worker does not serve the bundle's files or other assets by their own paths",
  ignore,
  async fn() {
    for (const path of ["/bundle/manifest.json", "/page/index.html", "/index.html"]) {
      await assertProblem(await fetch(`${worker.url}${path}`), 404, "not-found");
    }
  },
});

Deno.test({
  name: "the Worker answers 200 requests, 16 at once: each right, or 503",
  ignore,
  async fn() {
    const good = [
      "storm.jpg",
      "rgba.png",
      "lossy.webp",
      "exif_6.jpg",
      "interlaced.png",
      "tall.jpg",
    ];
    const bad = ["corrupt.png", "truncated.jpg", "cmyk.jpg", "notes.txt", "truncated.webp"];
    const names = [...good, ...bad.map((name) => `bad/${name}`)];
    const post = async (name: string) => {
      const body = await readPicture(name);
      const response = await fetch(`${worker.url}/v1/classify`, { method: "POST", body });
      return { status: response.status, answer: await response.json() };
    };
    const alone = new Map<string, Awaited<ReturnType<typeof post>>>();
    for (const name of names) alone.set(name, await post(name));

    const todo = Array.from({ length: 200 }, (_, i) => names[(i * 7) % names.length]);
    const counts = { right: 0, busy: 0 };
    const lane = async () => {
      for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
        const { status, answer } = await post(name);
        if (status === 503) {
          assert.equal(answer.code, "queue-full");
          counts.busy++;
        } else {
          assert.deepEqual({ status, answer }, alone.get(name), name);
          counts.right++;
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, lane));
    console.log(`of 200 requests, ${counts.right} were answered and ${counts.busy} turned away`);
    assert.equal(counts.right + counts.busy, 200);
    assert.ok(counts.right >= 50);
  },
});
