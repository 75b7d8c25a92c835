import assert from "node:assert/strict";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { testApi } from "./api_suite.ts";
import { classifyOverHttp, readAnswer } from "./classify_over_http.ts";
import { makeLargePng } from "./large_png.ts";
import { type ServerProcess, startServer } from "./server_process.ts";
import { runTask } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

const bundle = await makeSyntheticBundle();
const folder = await makeTemporaryFolder("server");
const storm = await readPicture("storm.jpg");
let server: ServerProcess;

Deno.test.beforeAll(async () => {
  await writeBundleFiles(bundle.files, folder.url);
  server = await startServer(folder.path, "--workers", "2", "--backend", "wasm");
});
Deno.test.afterAll(async () => {
  await server?.stop();
  await folder.remove();
});

testApi({ name: "the server", url: () => server.url }, bundle);

function post(path: string, body: BodyInit, headers: HeadersInit = {}): Promise<Response> {
  return fetch(`${server.url}${path}`, { method: "POST", body, headers });
}

Deno.test("Server-Timing says how long each part took, and the body holds no times", async () => {
  const first = await post("/v1/classify", storm);
  assert.match(
    first.headers.get("Server-Timing") ?? "",
    /^decode;dur=[\d.]+, preprocess;dur=[\d.]+, encode;dur=[\d.]+/,
  );
  const second = await post("/v1/classify", storm);
  assert.equal(await first.text(), await second.text(), "the same picture, the same body");
});

Deno.test("/healthz answers at once while every worker computes", async () => {
  const large = await makeLargePng(4000, 4000);
  const computing = Array.from({ length: 6 }, () => post("/v1/classify?top=1", large));
  let isComputing = true;
  const done = Promise.all(computing.map(async (answer) => {
    const response = await answer;
    await response.body?.cancel();
    return response.status;
  })).finally(() => isComputing = false);
  const times: number[] = [];
  while (isComputing) {
    const start = performance.now();
    const response = await fetch(`${server.url}/healthz`);
    assert.equal(await response.text(), "ok");
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(await done, Array(6).fill(200));
  assert.ok(times.length > 5, `only ${times.length} answers while the workers computed`);
  const median = times.toSorted((a, b) => a - b)[times.length >> 1];
  assert.ok(median < 200, `the median answer took ${median} ms`);
});

Deno.test("deno task start serves the bundle that the project brings when it is told of no other", async () => {
  const embedded = await startServer(undefined, "--workers", "1");
  try {
    const ready = await readAnswer(await fetch(`${embedded.url}/readyz`), SCHEMAS.ReadyAnswer);
    assert.deepEqual(ready, { status: "ready", faults: [] });
    const { model, predictions } = await classifyOverHttp(embedded.url, storm);
    assert.equal(model.name, "nano");
    assert.ok(predictions.length > 0);
  } finally {
    await embedded.stop();
  }
});

Deno.test("deno task start --help lists the options", async () => {
  const { code, stdout, stderr } = await runTask("start", ["--help"]);
  assert.equal(code, 0, stderr);
  for (const option of ["--bundle", "--digest", "--port", "--workers", "--max-bytes", "--help"]) {
    assert.ok(stdout.includes(option), option);
  }
});

Deno.test("deno task start refuses a wrong command line in one line", async () => {
  for (
    const [args, word] of [
      [["--prot", "1"], /--prot/],
      [["--port", "many"], /--port/],
      [["--workers", "0"], /--workers/],
      [["stray"], /stray/],
    ] as const
  ) {
    const { code, stdout, stderr } = await runTask("start", args);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.match(stderr, word);
  }
});
