import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import type * as edge from "../../edge/adapter/browser/mod.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { cutAfter, type Fault, partOf, withServer } from "../edge/faulty_server.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";
import { type BrowserHost, startBrowserHost } from "./browser_host.ts";
import { CHROMIUM, isChromiumMissing, launchChromium } from "./chromium.ts";

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
