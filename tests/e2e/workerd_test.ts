import type { ErrorCode } from "@clip-e/shared";
import assert from "node:assert/strict";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { METHODS } from "../../edge/model_info.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { assertProblem } from "./assert_problem.ts";
import { classifyOverHttp, readAnswer, scoresByLabel } from "./classify_over_http.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { findMissingWrangler, startWorker, type WorkerProcess } from "./worker_process.ts";

// Where machines check the project, a missing part is a failure and not an excuse.
const missing = Deno.env.get("CI") === "true" ? undefined : await findMissingWrangler();
if (missing !== undefined) console.warn(`Tests of the Worker are left out: ${missing}`);
const ignore = missing !== undefined;

let worker: WorkerProcess;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  const folder = await makeTemporaryFolder("workerd");
  try {
    await writeBundleFiles((await makeSyntheticBundle()).files, folder.url);
    worker = await startWorker(folder.path);
  } finally {
    await folder.remove();
  }
});
Deno.test.afterAll(async () => {
  if (worker) assert.deepEqual(await worker.stop(), [], "processes stayed");
});

function post(body: BodyInit): Promise<Response> {
  return fetch(`${worker.url}/v1/classify`, { method: "POST", body });
}

Deno.test({
  name: "the Worker says what the library says, by every method",
  ignore,
  async fn() {
    const { files } = await makeSyntheticBundle();
    const library = await createClassifier({
      bundle: { read: (path) => Promise.resolve(files.get(path)) },
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
  name: "the Worker refuses bad pictures as the server does, and goes on",
  ignore,
  async fn() {
    const bad: Record<string, [status: number, code: ErrorCode]> = {
      "notes.txt": [415, "unsupported-type"],
      "animated.gif": [415, "unsupported-type"],
      "empty.jpg": [400, "no-picture"],
      "cmyk.jpg": [422, "unsupported-colour"],
      "corrupt.png": [422, "undecodable"],
      "truncated.jpg": [422, "truncated"],
      "truncated.webp": [422, "truncated"],
      "huge.png": [422, "too-many-pixels"],
    };
    for (const [name, [status, code]] of Object.entries(bad)) {
      await assertProblem(await post(await readPicture(`bad/${name}`)), status, code);
    }
    const { image } = await classifyOverHttp(worker.url, await readPicture("grey.png"), "top=1");
    assert.deepEqual(image, { width: 90, height: 60 });
  },
});

Deno.test({
  name:
    "the Worker answers several pictures in order, and refuses a multipart body that is cut off",
  ignore,
  async fn() {
    const form = new FormData();
    for (const name of ["small.jpg", "bad/corrupt.png", "grey.png"]) {
      form.append("image", new Blob([await readPicture(name)]), name);
    }
    const { results } = await post(form).then((response) => response.json());
    assert.deepEqual(
      results.map(({ image, error }: { image?: object; error?: { code: string } }) =>
        image ?? error?.code
      ),
      [{ width: 97, height: 61 }, "undecodable", { width: 90, height: 60 }],
    );
    const whole = await new Response(form).blob();
    const cut = new Blob([whole.slice(0, whole.size - 100)], { type: whole.type });
    await assertProblem(await post(cut), 400, "malformed-multipart");
  },
});

Deno.test({
  name: "the Worker answers several requests at once",
  ignore,
  async fn() {
    const names = ["storm.jpg", "rgba.png", "lossy.webp", "sunset.jpg", "small.jpg", "tall.jpg"];
    const alone = [];
    for (const name of names) {
      alone.push(await classifyOverHttp(worker.url, await readPicture(name)));
    }
    const together = await Promise.all(
      names.map(async (name) => classifyOverHttp(worker.url, await readPicture(name))),
    );
    assert.deepEqual(together, alone);
  },
});

Deno.test({
  name: "the Worker serves its state, its description and the page with all its files",
  ignore,
  async fn() {
    const get = (path: string) => fetch(`${worker.url}${path}`);
    assert.equal(await get("/healthz").then((response) => response.text()), "ok");
    const ready = await readAnswer(await get("/readyz"), SCHEMAS.ReadyAnswer);
    assert.deepEqual(ready, { status: "ready", faults: [] });
    const model = await readAnswer(await get("/v1/model"), SCHEMAS.ModelAnswer);
    assert.equal(model.encoder.backend, "wasm");
    const { openapi } = await get("/openapi.json").then((response) => response.json());
    assert.match(openapi, /^3\.1\./);
    for (const path of ["/", "/docs"]) {
      const response = await get(path);
      assert.equal(response.status, 200, path);
      assert.match(response.headers.get("Content-Security-Policy") ?? "", /default-src 'none'/);
      const text = await response.text();
      for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
        const target = await fetch(new URL(link, `${worker.url}${path}`));
        await target.body?.cancel();
        assert.equal(target.status, 200, `${path} leads to ${link}`);
      }
    }
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
