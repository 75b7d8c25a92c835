/**
 * The Worker's handler, without workerd: what depends on the platform is given by the test.
 */

import assert from "node:assert/strict";
import { createHandler, type Env, type WasmModules } from "../../edge/adapter/workerd/handler.ts";
import { PACKAGED_MODULES } from "../../edge/decode/decoders.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const { files } = await makeSyntheticBundle();
const modules: WasmModules = {
  ort: await WebAssembly.compile(
    await Deno.readFile(
      new URL(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")),
    ),
  ),
  jpeg: await PACKAGED_MODULES.jpeg(),
  png: await PACKAGED_MODULES.png(),
  webp: await PACKAGED_MODULES.webp(),
};

/** Static assets: the bundle, and a page of one file. */
function makeEnv(options: { isBroken?: () => boolean; digest?: string } = {}) {
  const asked: string[] = [];
  const env: Env = {
    ASSETS: {
      fetch(url) {
        asked.push(url.pathname);
        if (options.isBroken?.()) return Promise.resolve(new Response("busy", { status: 500 }));
        const bytes = url.pathname === "/page/index.html"
          ? new TextEncoder().encode("the page")
          : files.get(url.pathname.replace("/bundle/", ""));
        return Promise.resolve(bytes ? new Response(bytes) : new Response("", { status: 404 }));
      },
    },
    ...(options.digest !== undefined && { BUNDLE_DIGEST: options.digest }),
  };
  return { env, asked };
}

async function classify(): Promise<Request> {
  const body = await readPicture("small.jpg");
  return new Request("https://example.com/v1/classify", { method: "POST", body });
}

/** Runs something that may write to the log, and gives what it wrote. */
async function withLog<T>(run: () => Promise<T>): Promise<{ result: T; log: string }> {
  const { error } = console;
  let log = "";
  console.error = (...parts: unknown[]) => log += parts.join(" ");
  try {
    return { result: await run(), log };
  } finally {
    console.error = error;
  }
}

Deno.test("createHandler() opens the bundle once, at the first request", async () => {
  const { env, asked } = makeEnv();
  const handler = createHandler(modules);
  assert.deepEqual(asked, []);
  for (
    const response of await Promise.all([
      handler.fetch(await classify(), env),
      handler.fetch(await classify(), env),
    ])
  ) {
    assert.equal(response.status, 200);
    assert.deepEqual((await response.json()).image, { width: 97, height: 61 });
  }
  assert.equal(asked.filter((path) => path === "/bundle/encoder.onnx").length, 1);
  const page = await handler.fetch(new Request("https://example.com/"), env);
  assert.equal(await page.text(), "the page");
});

Deno.test("createHandler() does not give the assets away by their own paths", async () => {
  const { env } = makeEnv();
  const handler = createHandler(modules);
  for (const path of ["/bundle/manifest.json", "/manifest.json", "/page/index.html"]) {
    const response = await handler.fetch(new Request(`https://example.com${path}`), env);
    await assertProblem(response, 404, "not-found");
  }
});

Deno.test("createHandler() answers an error while the assets cannot be read, and tries again", async () => {
  let isBroken = true;
  const { env } = makeEnv({ isBroken: () => isBroken });
  const handler = createHandler(modules);
  const { result, log } = await withLog(async () => await handler.fetch(await classify(), env));
  assert.ok(result.status >= 500);
  assert.equal(result.headers.get("Retry-After"), "1");
  await assertProblem(result, 500, "internal");
  assert.match(log, /manifest\.json.*500/);
  isBroken = false;
  const response = await handler.fetch(await classify(), env);
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("createHandler() serves only the bundle whose digest is pinned", async () => {
  const whole = makeEnv();
  const answer = await createHandler(modules).fetch(await classify(), whole.env);
  const { model: { bundle: digest } } = await answer.json();
  const pinned = makeEnv({ digest });
  const response = await createHandler(modules).fetch(await classify(), pinned.env);
  assert.equal(response.status, 200);
  await response.body?.cancel();

  const other = makeEnv({ digest: `sha256:${"0".repeat(64)}` });
  const { result, log } = await withLog(async () =>
    await createHandler(modules).fetch(await classify(), other.env)
  );
  await assertProblem(result, 503, "invalid-bundle");
  assert.match(log, /digest/);
});
