/**
 * The Worker's handler, without workerd: what depends on the platform is given by the test.
 */

import { MANIFEST_PATH, sha256, writeManifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import { createHandler, type Env, type WasmModules } from "../../edge/adapter/workerd/handler.ts";
import { memoryBudget } from "../../edge/adapter/workerd/memory_budget.ts";
import { PACKAGED_MODULES } from "../../edge/decode/decoders.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { makeLargePng } from "../e2e/large_png.ts";
import { readPicture } from "../golden_file.ts";
import { type BundleFiles, makeSyntheticBundle } from "../synthetic_bundle.ts";

const { files, manifest } = await makeSyntheticBundle();
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
function makeEnv(
  options: {
    readonly isBroken?: () => boolean;
    readonly digest?: string;
    readonly bundle?: BundleFiles;
    readonly variables?: Partial<Env>;
  } = {},
) {
  const { bundle = files } = options;
  const asked: string[] = [];
  const env: Env = {
    ASSETS: {
      fetch(url) {
        asked.push(url.pathname);
        if (options.isBroken?.()) return Promise.resolve(new Response("busy", { status: 500 }));
        const bytes = url.pathname === "/page/index.html"
          ? new TextEncoder().encode("the page")
          : bundle.get(url.pathname.replace("/bundle/", ""));
        return Promise.resolve(bytes ? new Response(bytes) : new Response("", { status: 404 }));
      },
    },
    ...(options.digest !== undefined && { BUNDLE_DIGEST: options.digest }),
    ...options.variables,
  };
  return { env, asked };
}

async function classify(): Promise<Request> {
  const body = await readPicture("small.jpg");
  return new Request("https://example.com/v1/classify", { method: "POST", body });
}

/** Runs something that may write to the log, and gives what it wrote. */
async function withLog<T>(run: () => Promise<T>): Promise<{ result: T; log: string }> {
  const { error, warn, log: say } = console;
  let log = "";
  console.error = console.warn = console.log = (...parts: unknown[]) => {
    log += parts.join(" ") + "\n";
  };
  try {
    return { result: await run(), log };
  } finally {
    Object.assign(console, { error, warn, log: say });
  }
}

Deno.test("createHandler() opens the bundle once, for eight first requests at once", async () => {
  const { env, asked } = makeEnv();
  const handler = createHandler(modules);
  assert.deepEqual(asked, []);
  const waits: Promise<unknown>[] = [];
  const context = { waitUntil: (wait: Promise<unknown>) => waits.push(wait) };
  const first = Array.from({ length: 8 }, async () => {
    return await handler.fetch(await classify(), env, context);
  });
  for (const response of await Promise.all(first)) {
    assert.equal(response.status, 200);
    assert.deepEqual((await response.json()).image, { width: 97, height: 61 });
  }
  for (const path of ["manifest.json", "encoder.onnx"]) {
    assert.equal(asked.filter((one) => one === `/bundle/${path}`).length, 1, path);
  }
  assert.equal(waits.length, 8, "each is finished, even if its caller hangs up");
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

Deno.test("createHandler() gives the bundle and what pages compute with, unless NO_BROWSER is true", async () => {
  const ask = async (variables: Partial<Env>, path: string) => {
    const script = new TextEncoder().encode('{ "worker.js": { "bytes": 1 } }');
    const { env } = makeEnv({
      bundle: new Map([...files, ["/browser/files.json", script]]),
      variables,
    });
    return await createHandler(modules).fetch(new Request(`https://example.com${path}`), env);
  };
  for (const NO_BROWSER of ["false", false]) {
    const manifest = await ask({ NO_BROWSER }, "/v1/bundle/manifest.json");
    assert.deepEqual(new Uint8Array(await manifest.arrayBuffer()), files.get(MANIFEST_PATH));
    const list = await ask({ NO_BROWSER }, "/browser/files.json");
    assert.deepEqual(await list.json(), { "worker.js": { bytes: 1 } });
  }
  for (const NO_BROWSER of ["true", true]) {
    for (const path of ["/v1/bundle/manifest.json", "/browser/files.json"]) {
      await assertProblem(await ask({ NO_BROWSER }, path), 404, "not-found");
    }
  }
});

Deno.test("createHandler() answers an error while the assets cannot be read, and tries again", async () => {
  let isBroken = true;
  const { env } = makeEnv({ isBroken: () => isBroken });
  const handler = createHandler(modules);
  const { result, log } = await withLog(async () => await handler.fetch(await classify(), env));
  assert.equal(result.headers.get("Retry-After"), "1");
  await assertProblem(result, 503, "internal");
  assert.match(log, /Cannot read the asset .*: 500/);
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

/** The bundle with other bytes, of the same length, in one file. */
function damage(path: string): BundleFiles {
  const bytes = files.get(path)?.slice() ?? assert.fail();
  bytes[bytes.length - 1] ^= 1;
  return new Map([...files, [path, bytes]]);
}

Deno.test("createHandler() checks hashes, but of static assets that the build checked and pinned", async () => {
  const bundle = damage("README.md");
  const readFaults = async (env: Env) => {
    const request = new Request("https://example.com/readyz");
    const { result } = await withLog(() => createHandler(modules).fetch(request, env));
    return (await result.json()).faults.map(({ part }: { part: string }) => part);
  };
  assert.deepEqual(await readFaults(makeEnv({ bundle }).env), ["model card"]);
  const digest = `sha256:${await sha256(files.get(MANIFEST_PATH) ?? assert.fail())}`;
  assert.deepEqual(await readFaults(makeEnv({ bundle, digest }).env), []);

  const BUNDLE_BUCKET = {
    get: (path: string) => {
      const bytes = bundle.get(path);
      return Promise.resolve(bytes ? new Response(bytes) : null);
    },
  };
  const { env } = makeEnv({ digest, variables: { BUNDLE_BUCKET } });
  assert.deepEqual(await readFaults(env), ["model card"], "a bucket's objects may change");
});

Deno.test("createHandler() refuses a model that an isolate cannot hold, and the log says why", async () => {
  const [encoder] = manifest.encoders;
  const large = { ...encoder, file: { ...encoder.file, bytes: 89_000_000 } };
  const bundle = new Map([...files, [
    MANIFEST_PATH,
    writeManifest({ ...manifest, encoders: [large] }),
  ]]);
  const { env, asked } = makeEnv({ bundle });
  const { result, log } = await withLog(async () =>
    await createHandler(modules).fetch(await classify(), env)
  );
  await assertProblem(result, 503, "invalid-bundle");
  assert.match(log, /128 MB.*89 MB.*smaller model/);
  assert.ok(!asked.includes("/bundle/encoder.onnx"), "it is not even read");
});

Deno.test("createHandler() takes its limits from what the model leaves", async () => {
  const { env } = makeEnv();
  const { maxBytes, maxPixels } = memoryBudget(manifest);
  const large = new Request("https://example.com/v1/classify", {
    method: "POST",
    body: new Uint8Array(maxBytes + 1),
  });
  const response = await createHandler(modules).fetch(large, env);
  assert.ok((await assertProblem(response, 413, "too-many-bytes")).includes(String(maxBytes)));
  const body = await makeLargePng(maxPixels / 1000 + 1, 1000);
  const many = new Request("https://example.com/v1/classify", { method: "POST", body });
  const refused = await createHandler(modules).fetch(many, env);
  assert.ok((await assertProblem(refused, 422, "too-many-pixels")).includes(String(maxPixels)));

  const lowered = makeEnv({ variables: { MAX_PIXELS: "5000" } });
  const small = await createHandler(modules).fetch(await classify(), lowered.env);
  assert.match(await assertProblem(small, 422, "too-many-pixels"), /97 x 61.*5000/);
});

Deno.test("createHandler() is closed when its environment cannot be understood", async () => {
  const cases: readonly (readonly [Partial<Env>, RegExp])[] = [
    [{ TOKENS: " ," }, /tokens: the list of them is empty/],
    [{ TOKENS: "good, b\u00e4d" }, /number 2/],
    [{ CORS_ORIGINS: "example.com" }, /example\.com/],
    [{ ANSWER_CACHE_TTL: "soon" }, /ANSWER_CACHE_TTL/],
    [{ ANSWER_CACHE_TTL: -1 }, /ANSWER_CACHE_TTL/],
    [{ LOG: "all" }, /LOG/],
    [{ MAX_PIXELS: "few" }, /MAX_PIXELS/],
    [{ NO_BROWSER: "yes" }, /NO_BROWSER/],
  ];
  for (const [variables, says] of cases) {
    const { env } = makeEnv({ variables });
    const { result, log } = await withLog(async () =>
      await createHandler(modules).fetch(await classify(), env)
    );
    await assertProblem(result, 503, "internal");
    assert.match(log, says);
    assert.doesNotMatch(log, /good/, "no message holds a token");
  }
});

Deno.test("createHandler() counts callers by their network, as the platform saw them", async () => {
  const keys: string[] = [];
  const RATE_LIMITER = {
    limit: ({ key }: { key: string }) => {
      keys.push(key);
      return Promise.resolve({ success: keys.length < 3 });
    },
  };
  const handler = createHandler(modules);
  const { env } = makeEnv({ variables: { RATE_LIMITER } });
  const statuses: number[] = [];
  for (const address of ["192.0.2.1", "2001:db8::1", "2001:db8::2"]) {
    const request = await classify();
    request.headers.set("CF-Connecting-IP", address);
    const response = await handler.fetch(request, env);
    await response.body?.cancel();
    statuses.push(response.status);
  }
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.equal(keys[0], "192.0.2.1");
  assert.equal(keys[1], keys[2]);
});
