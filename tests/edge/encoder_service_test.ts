/**
 * Backends that fail while they serve: whoever comes next answers, and says so.
 */

import { BackendLost, createApp, createClassifier, wasmBackend } from "@clip-e/edge";
import assert from "node:assert/strict";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import type { Backend, BackendName } from "../../edge/backend/backend.ts";
import { readPicture } from "../golden_file.ts";
import { makeTowerBundle } from "../tower_bundle.ts";

const files = await makeTowerBundle();
const bundle = { read: (path: string) => Promise.resolve(files.get(path)) };

/** WebAssembly by another name, whose runs fail from the one that is said; the golden input's is the first. */
function failing(
  name: BackendName,
  from: number,
  error: Error,
): Backend & { readonly runs: number } {
  let runs = 0;
  return {
    name,
    get runs() {
      return runs;
    },
    async open(model) {
      const session = await wasmBackend.open(model);
      return {
        ...session,
        run: (inputs, output) =>
          ++runs >= from ? Promise.reject(error) : session.run(inputs, output),
      };
    },
  };
}

Deno.test("createClassifier() answers on WebAssembly where its backend fails while it serves, and says so", async () => {
  const lines: string[] = [];
  const gpu = failing("webgpu", 3, new BackendLost("the cable was pulled"));
  const warn = (line: string) => lines.push(line);
  const classifier = await createClassifier({ bundle, backends: [gpu], warn });
  const app = createApp(classifier);
  const get = async (path: string) =>
    await (await app.fetch(new Request(`http://localhost${path}`))).json();
  const picture = await readPicture("storm.jpg");
  const before = await classifier.embed(picture.slice());
  assert.equal(SCHEMAS.ModelAnswer.parse(await get("/v1/model")).encoder.backend, "webgpu");
  assert.equal((await get("/readyz")).status, "ready");
  const answers = await Promise.all([1, 2, 3].map(() => classifier.embed(picture.slice())));
  for (const { embedding } of answers) assert.deepEqual(embedding, before.embedding);
  assert.equal(gpu.runs, 3, "it is not asked again");
  assert.deepEqual(lines, [
    "The backend webgpu failed while it served: the cable was pulled. encoder.float32.onnx (float32) takes over, " +
    "on the backend wasm",
  ]);
  const { encoder, faults } = SCHEMAS.ModelAnswer.parse(await get("/v1/model"));
  assert.equal(encoder.backend, "wasm");
  assert.deepEqual(faults, [{
    part: "encoders/encoder.float32.onnx",
    fault: "invalid",
    detail: "the cable was pulled (on the backend webgpu)",
  }]);
  assert.equal((await get("/readyz")).status, "degraded");
  await classifier.close();
});

Deno.test("createClassifier() goes on to the next backend of several, and on again", async () => {
  const lines: string[] = [];
  const backends = [
    failing("webgpu", 2, new BackendLost("first")),
    failing("native", 3, new BackendLost("second")),
    wasmBackend,
  ];
  const classifier = await createClassifier({ bundle, backends, warn: (line) => lines.push(line) });
  await classifier.embed(await readPicture("storm.jpg"));
  assert.equal(classifier.model.encoder.backend, "native");
  await classifier.embed(await readPicture("storm.jpg"));
  assert.equal(classifier.model.encoder.backend, "wasm");
  assert.deepEqual(classifier.model.faults.map(({ detail }) => detail.split(" ")[0]), [
    "first",
    "second",
  ]);
  assert.equal(lines.length, 2);
  await classifier.close();
});

Deno.test("createClassifier() keeps a backend whose error is a run's own", async () => {
  const backends = [failing("webgpu", 2, new Error("too much at once")), wasmBackend];
  const classifier = await createClassifier({ bundle, backends, warn: assert.fail });
  await assert.rejects(classifier.embed(await readPicture("storm.jpg")), /too much at once/);
  assert.equal(classifier.model.encoder.backend, "webgpu");
  await classifier.close();
});

Deno.test("createClassifier() says in a sentence that nothing can take over", async () => {
  const files = await makeTowerBundle(["float32"], { float32: ["webgpu"] });
  const bundle = { read: (path: string) => Promise.resolve(files.get(path)) };
  const gpu = failing("webgpu", 2, new BackendLost("the cable was pulled"));
  const classifier = await createClassifier({ bundle, backends: [gpu], warn: assert.fail });
  await assert.rejects(classifier.embed(await readPicture("storm.jpg")), {
    code: "internal",
    message:
      /webgpu failed .*: the cable was pulled\. Nothing takes over: .* for the backend wasm$/,
  });
  await classifier.close();
});
