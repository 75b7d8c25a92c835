import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import type * as edge from "../../../edge/adapter/browser/mod.ts";
import { createClassifier } from "../../../edge/classifier.ts";
import { cutAfter, type Fault, partOf, withServer } from "../../edge/faulty_server.ts";
import { readPicture } from "../../golden_file.ts";
import { makeSyntheticBundle } from "../../synthetic_bundle.ts";
import { type BrowserHost, startBrowserHost } from "../browser_host.ts";
import { CHROMIUM, isChromiumMissing, launchChromium } from "../chromium.ts";

const ignore = await isChromiumMissing();
if (ignore) {
  console.warn(`Tests of the classifier in a page are left out: no browser at ${CHROMIUM}`);
}

const PICTURES = ["storm.jpg", "rgba.png", "small.jpg"];
const { files } = await makeSyntheticBundle();
let host: BrowserHost;
let browser: Browser;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  const pictures = new Map(
    await Promise.all(PICTURES.map(async (name) => [name, await readPicture(name)] as const)),
  );
  [host, browser] = await Promise.all([
    startBrowserHost(files, pictures),
    launchChromium(),
  ]);
});
Deno.test.afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

/** What the page's code finds. */
interface Given {
  readonly edge: typeof edge;
  readonly isInWorker: boolean;
}

/** Opens a page whose only script is the library, and asserts that nothing went wrong in it. */
async function onPage(use: (page: Page) => Promise<void>): Promise<void> {
  // A context of its own has a cache of its own.
  const context = await browser.newContext();
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  try {
    await page.goto(`${host.url}page`);
    host.asked.splice(0);
    await use(page);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
  }
}

/** Runs code in the page; what it takes from outside must be plain. */
async function inPage<T, A>(
  page: Page,
  argument: A,
  code: (given: Given & A) => Promise<T>,
): Promise<T> {
  // The policy forbids to make code of texts in the page, but not to its debugger.
  return await page.evaluate(
    `(async () => (${code})({ edge: await import("/browser.js"), ...${
      JSON.stringify(argument)
    } }))()`,
  );
}

for (const isInWorker of [false, true]) {
  const where = isInWorker ? "a worker" : "the page's thread";
  Deno.test({
    name: `createBrowserClassifier() says in ${where} what the classifier says on a server`,
    ignore,
    async fn() {
      const local = await createClassifier({
        bundle: { read: (path) => Promise.resolve(files.get(path)) },
      });
      await onPage(async (page) => {
        const answers = await inPage(
          page,
          { isInWorker, pictures: PICTURES },
          async ({ edge, isInWorker, pictures }) => {
            const read = async (name: string) =>
              new Uint8Array(await (await fetch(`/pictures/${name}`)).arrayBuffer());
            const classifier = await edge.createBrowserClassifier({
              bundle: "bundle/",
              ...(isInWorker && { worker: "/worker.js" }),
            });
            const answers = await Promise.all(pictures.map(async (name) => {
              const { embedding } = await classifier.embed(await read(name));
              const { image, predictions } = await classifier.classify(await read(name));
              const scored = await classifier.score(embedding);
              return { embedding: Array.from(embedding), image, predictions, scored };
            }));
            const { model } = classifier;
            await classifier.close();
            return { answers, model };
          },
        );
        assert.deepEqual(answers.model, local.model);
        for (const [i, answer] of answers.answers.entries()) {
          const { embedding } = await local.embed(await readPicture(PICTURES[i]));
          const { image, predictions } = await local.classify(await readPicture(PICTURES[i]));
          assert.deepEqual(answer.image, image);
          assert.deepEqual(answer.embedding, Array.from(embedding), PICTURES[i]);
          assert.deepEqual(answer.predictions, predictions);
          assert.deepEqual(answer.scored, predictions);
        }
      });
      await local.close();
      const worker = host.asked.includes("worker.js");
      assert.equal(worker, isInWorker);
    },
  });

  Deno.test({
    name: `createBrowserClassifier() refuses in ${where} with the codes that it has on a server`,
    ignore,
    async fn() {
      await onPage(async (page) => {
        const codes = await inPage(page, { isInWorker }, async ({ edge, isInWorker }) => {
          const worker = isInWorker ? { worker: "/worker.js" } : {};
          const open = (options: object = {}) =>
            edge.createBrowserClassifier({ bundle: "bundle/", ...worker, ...options });
          const codeOf = async (run: () => Promise<unknown>) => {
            try {
              await run();
              return "none";
            } catch (error) {
              return error instanceof edge.ClipEError ? `${error.code}: ${error.message}` : error;
            }
          };
          const classifier = await open({ maxPixels: 100, wasmPaths: "/wasm" });
          const picture = async () =>
            new Uint8Array(await (await fetch("/pictures/small.jpg")).arrayBuffer());
          return [
            await codeOf(() => classifier.classify(new Uint8Array([1, 2, 3]))),
            await codeOf(async () => classifier.classify(await picture())),
            await codeOf(() => classifier.score(new Float32Array(3))),
            await codeOf(async () =>
              classifier.classify(await picture(), { taxonomies: ["nothing"] })
            ),
            await codeOf(() => open({ bundle: "nowhere" })),
            await codeOf(() => open({ digest: `sha256:${"0".repeat(64)}` })),
            await codeOf(() => open({ wasmPaths: "/nowhere" })),
            await codeOf(() =>
              open({ signal: AbortSignal.abort(new edge.ClipEError("internal", "left")) })
            ),
            await codeOf(() => classifier.close()),
          ];
        });
        const expected = [
          /^unsupported-type: The bytes are not a picture/,
          /^too-many-pixels: /,
          /^invalid-embedding: /,
          /^unknown-taxonomy: /,
          /^invalid-bundle: .* no manifest\.json in http:.*\/nowhere\/$/,
          /^invalid-bundle: .*manifest\.json: its SHA-256 is .* pinned/,
          /^internal: Cannot load http:.*ort-wasm.*wasm: .* 404.*wasmPaths/,
          /^internal: left$/,
          /^none$/,
        ];
        for (const [i, sentence] of expected.entries()) assert.match(String(codes[i]), sentence);
      });
    },
  });
}

Deno.test({
  name: "createBrowserClassifier() keeps the bundle in the browser, and tells how far it is",
  ignore,
  async fn() {
    await onPage(async (page) => {
      const open = () =>
        inPage(page, {}, async ({ edge }) => {
          const heard: edge.FileProgress[] = [];
          const classifier = await edge.createBrowserClassifier({
            bundle: "/bundle",
            worker: new Worker("/worker.js", { type: "module" }),
            wasmPaths: {
              ort: "wasm/ort-wasm-simd-threaded.wasm",
              jpeg: new URL("/mozjpeg_dec.wasm", location.href),
              png: "/squoosh_png_bg.wasm",
              webp: "/webp_dec.wasm",
            },
            onProgress: (progress) => heard.push(progress),
          });
          await classifier.close();
          return heard.filter(({ path }) => path === "encoder.onnx").at(-1);
        });
      const bytes = files.get("encoder.onnx")?.length;
      const encoder = { path: "encoder.onnx", bytes, total: bytes };
      assert.deepEqual(await open(), { ...encoder, isCached: false });
      const ofBundle = () => host.asked.filter((path) => path.startsWith("bundle/"));
      assert.ok(ofBundle().length > 5);
      host.asked.splice(0);
      assert.deepEqual(await open(), { ...encoder, isCached: true });
      assert.deepEqual(ofBundle(), ["bundle/manifest.json"]);
    });
  },
});

Deno.test({
  name: "createBrowserClassifier() reads a bundle of another origin, and takes up what broke off",
  ignore,
  async fn() {
    const open = { "Access-Control-Allow-Origin": "*" };
    const cut: Fault = (path, bytes, request) => {
      if (!bytes) return new Response("", { status: 404, headers: open });
      const part = path === "encoder.onnx" && (partOf(bytes, request) ?? cutAfter(bytes, 5000));
      const { body, status, headers } = part || new Response(bytes);
      return new Response(body, { status, headers: [...headers, ...Object.entries(open)] });
    };
    await withServer(files, cut, async ({ url, requests }) => {
      await onPage(async (page) => {
        const model = await inPage(page, { url }, async ({ edge, url }) => {
          const classifier = await edge.createBrowserClassifier({
            bundle: edge.httpSource(url, { retryDelay: 1 }),
            worker: "/worker.js",
          });
          await classifier.close();
          return classifier.model;
        });
        assert.deepEqual(model.faults, []);
      });
      const ranges = requests.filter(({ url }) => url.endsWith("/encoder.onnx"))
        .map(({ headers }) => headers.get("Range"));
      assert.equal(ranges.length, 2);
      assert.match(ranges[1] ?? "", /^bytes=[1-9]\d*-$/);
    });
  },
});

Deno.test({
  name: "createBrowserClassifier() says when its worker does not start, or was closed",
  ignore,
  async fn() {
    await onPage(async (page) => {
      const [missing, closed] = await inPage(page, {}, async ({ edge }) => {
        const messageOf = (promise: Promise<unknown>) =>
          promise.then(() => "none", (error) => `${error.code}: ${error.message}`);
        const open = (worker: string) =>
          edge.createBrowserClassifier({ bundle: "/bundle", worker });
        const classifier = await open("/worker.js");
        const pending = messageOf(classifier.embed(new Uint8Array(10)));
        await classifier.close();
        return [await messageOf(open("/nowhere.js")), await pending];
      });
      assert.equal(
        missing,
        "internal: The worker that computes failed: is its script where it should be?",
      );
      assert.equal(closed, "internal: The classifier was closed");
    });
  },
});

Deno.test({
  name: "createBrowserClassifier() loads nothing of WebGPU where there is no GPU, and says why",
  ignore,
  async fn() {
    for (const worker of ["/worker.js", undefined]) {
      await onPage(async (page) => {
        const { lines, backend } = await inPage(page, { worker }, async ({ edge, worker }) => {
          const lines: string[] = [];
          const classifier = await edge.createBrowserClassifier({
            bundle: "/bundle",
            ...(worker !== undefined && { worker }),
            warn: (line) => lines.push(line),
          });
          await classifier.close();
          return { lines, backend: classifier.model.encoder.backend };
        });
        assert.equal(backend, "wasm");
        assert.equal(lines.length, 1);
        assert.match(lines[0], /^Cannot use WebGPU: .* WebAssembly computes in its place$/);
        const loaded = host.asked.filter((path) => /\.(js|wasm)$/.test(path));
        assert.ok(loaded.includes("ort-wasm-simd-threaded.wasm"), String(loaded));
        assert.deepEqual(loaded.filter((path) => /webgpu|asyncify/.test(path)), []);
      });
    }
  },
});

Deno.test({
  name: "createBrowserClassifier() loads ONNX Runtime into the page's thread only without a worker",
  ignore,
  async fn() {
    for (const worker of ["/worker.js", undefined]) {
      await onPage(async (page) => {
        const scripts = await inPage(page, { worker }, async ({ edge, worker }) => {
          const classifier = await edge.createBrowserClassifier({
            bundle: "/bundle",
            ...(worker !== undefined && { worker }),
          });
          await classifier.close();
          const loaded = performance.getEntriesByType("resource").map(({ name }) => name)
            .filter((url) => url.endsWith(".js") && !url.endsWith("/worker.js"));
          return await Promise.all(loaded.map(async (url) => (await fetch(url)).text()));
        });
        assert.ok(scripts.length > 1);
        const hasRuntime = scripts.some((code) => code.includes("onnxruntime-web"));
        assert.equal(hasRuntime, worker === undefined);
      });
    }
  },
});

Deno.test({
  name: "createBrowserClassifier() refuses WebGPU by name where there is no GPU",
  ignore,
  async fn() {
    await onPage(async (page) => {
      const message = await inPage(
        page,
        {},
        ({ edge }) =>
          edge.createBrowserClassifier({
            bundle: "/bundle",
            worker: "/worker.js",
            backend: "webgpu",
          })
            .then(() => "none", (error) => `${error.code}: ${error.message}`),
      );
      assert.match(message, /^internal: Cannot use WebGPU: /);
    });
  },
});

Deno.test({
  name: "createBrowserClassifier() sends headers for the bundle alone",
  ignore,
  async fn() {
    await onPage(async (page) => {
      const sent: [string, string | undefined][] = [];
      page.on("request", (request) => {
        sent.push([new URL(request.url()).pathname, request.headers()["authorization"]]);
      });
      await inPage(page, {}, async ({ edge }) => {
        const classifier = await edge.createBrowserClassifier({
          bundle: "/bundle",
          worker: "/worker.js",
          headers: { Authorization: "Bearer secret" },
        });
        await classifier.close();
      });
      assert.ok(sent.length > 8, String(sent));
      for (const [path, authorization] of sent) {
        assert.equal(
          authorization,
          path.startsWith("/bundle/") ? "Bearer secret" : undefined,
          path,
        );
      }
    });
  },
});

Deno.test({
  name: "createBrowserClassifier() counts the bytes of WebAssembly as they come, compressed or not",
  ignore,
  async fn() {
    for (const wasmPaths of ["/wasm", "/gzip"]) {
      for (const worker of ["/worker.js", undefined]) {
        await onPage(async (page) => {
          const heard = await inPage(page, { wasmPaths, worker }, async (given) => {
            const heard: edge.FileProgress[] = [];
            const classifier = await given.edge.createBrowserClassifier({
              bundle: "/bundle",
              wasmPaths: given.wasmPaths,
              ...(given.worker !== undefined && { worker: given.worker }),
              onProgress: (progress) => heard.push(progress),
            });
            const picture = await (await fetch("/pictures/small.jpg")).arrayBuffer();
            await classifier.classify(new Uint8Array(picture));
            await classifier.close();
            return heard;
          });
          const expected: [string, string][] = [
            ["ort-wasm-simd-threaded.wasm", "onnxruntime-web/ort-wasm-simd-threaded.wasm"],
            ["mozjpeg_dec.wasm", "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm"],
          ];
          const wasm = heard.filter(({ path }) => path.endsWith(".wasm"));
          assert.deepEqual([...new Set(wasm.map(({ path }) => path))], expected.map(([p]) => p));
          for (const [path, specifier] of expected) {
            const { size } = await Deno.stat(new URL(import.meta.resolve(specifier)));
            const pieces = wasm.filter((progress) => progress.path === path);
            const counts = pieces.map(({ bytes }) => bytes);
            assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
            assert.equal(counts.at(-1), size);
            const total = wasmPaths === "/wasm" ? size : undefined;
            for (const piece of pieces) assert.equal(piece.total, total);
          }
          assert.ok(wasm.length > expected.length, "it comes in several pieces");
        });
      }
    }
  },
});

for (const slow of [{ bundle: "/slow/bundle" }, { wasmPaths: "/slow" }]) {
  for (const worker of ["/worker.js", undefined]) {
    const isBundle = "bundle" in slow;
    Deno.test({
      name: `createBrowserClassifier() gives up a download of its ${
        isBundle ? "bundle" : "WebAssembly"
      }, ${worker ? "ends the worker" : "in the page's thread"} and keeps nothing half`,
      ignore,
      async fn() {
        await onPage(async (page) => {
          host.dropped.splice(0);
          const ended: string[] = [];
          page.on("worker", (started) => {
            started.on("close", () => ended.push(new URL(started.url()).pathname));
          });
          const { message, kept } = await inPage(
            page,
            { slow, isBundle, worker },
            async (given) => {
              const leaving = new AbortController();
              const message = await given.edge.createBrowserClassifier({
                bundle: "/bundle",
                ...given.slow,
                ...(given.worker !== undefined && { worker: given.worker }),
                signal: leaving.signal,
                onProgress: ({ path }) => {
                  const isWasm = path.endsWith(".wasm");
                  const isSlow = given.isBundle ? !isWasm && path !== "manifest.json" : isWasm;
                  if (isSlow) leaving.abort(new Error("the visitor left"));
                },
              }).then(() => "none", (error) => error.message);
              const cache = await caches.open("clip-e");
              return { message, kept: (await cache.keys()).map(({ url }) => url) };
            },
          );
          assert.equal(message, "the visitor left");
          assert.deepEqual(kept, []);
          for (let i = 0; i < 50 && (host.dropped.length === 0 || page.workers().length > 0); i++) {
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
          assert.match(host.dropped.join(), /^slow\//);
          assert.deepEqual(ended, worker ? [worker] : []);
          assert.deepEqual(page.workers(), []);
        });
      },
    });
  }
}
