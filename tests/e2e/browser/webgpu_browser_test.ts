/**
 * WebGPU in a page and its worker, in Chromium, whose own software adapter is the GPU.
 */

import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import type * as edge from "../../../edge/adapter/browser/mod.ts";
import { readPicture } from "../../golden_file.ts";
import { makeSyntheticBundle } from "../../synthetic_bundle.ts";
import { makeTowerBundle } from "../../tower_bundle.ts";
import { type BrowserHost, startBrowserHost } from "../browser_host.ts";
import { bundleScripts } from "../bundle_scripts.ts";
import { isChromiumMissing, launchChromium } from "../chromium.ts";

const ignore = await isChromiumMissing();
const WASM = "ort-wasm-simd-threaded.wasm";
const WEBGPU = "ort-wasm-simd-threaded.asyncify.wasm";
let host: BrowserHost;
let browser: Browser;
/** What WebAssembly says. */
let wasm: Findings;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  const { files: withoutGpu } = await makeSyntheticBundle();
  const others = await bundleScripts({ "gpu_worker.js": "tests/e2e/browser/webgpu_worker.ts" });
  for (const [path, bytes] of withoutGpu) others.set(`for_wasm/${path}`, bytes);
  const pictures = new Map([["storm.jpg", await readPicture("storm.jpg")]]);
  host = await startBrowserHost(await makeTowerBundle(), pictures, others);
  browser = await launchChromium(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
  wasm = await classify({ options: { bundle: "/bundle", worker: "/worker.js", backend: "wasm" } });
  assert.deepEqual(wasm.backends, ["wasm"]);
  assert.deepEqual(wasm.lines, []);
});
Deno.test.afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

/** What a page is told to do. */
interface Given {
  /** Options of the library, in plain values. */
  readonly options: edge.BrowserClassifierOptions;
  /** Whether it classifies once more, without its GPU. */
  readonly losesGpu?: boolean;
  /** Whether the page's adapter does not say that it is software; its worker's own is another. */
  readonly isReal?: boolean;
}

/** What a page found. */
interface Findings {
  /** What served each picture, by the model's own words. */
  readonly backends: readonly string[];
  /** The scores of each. */
  readonly scores: readonly (readonly number[])[];
  /** What `warn` heard. */
  readonly lines: readonly string[];
  /** Files that `onProgress` heard of. */
  readonly files: readonly string[];
  /** What was asked for. */
  readonly asked: readonly string[];
}

/** Classifies in a page of its own. */
async function classify(given: Given): Promise<Findings> {
  const page = await browser.newPage();
  try {
    await page.goto(`${host.url}page`);
    host.asked.splice(0);
    const findings = await page.evaluate(
      `(${classifyInPage})(${JSON.stringify(given)})`,
    ) as Omit<Findings, "asked">;
    return { ...findings, asked: host.asked.splice(0) };
  } finally {
    await page.close();
  }
}

async function classifyInPage(
  { options, losesGpu = false, isReal = false }: Given,
): Promise<Omit<Findings, "asked">> {
  if (isReal) {
    Object.defineProperty(GPUAdapter.prototype, "info", { value: { vendor: "a vendor" } });
  }
  const script = "/browser.js";
  const { createBrowserClassifier }: typeof edge = await import(script);
  const lines: string[] = [];
  const files = new Set<string>();
  const classifier = await createBrowserClassifier({
    ...options,
    warn: (line) => lines.push(line),
    onProgress: ({ path }) => files.add(path),
  });
  const picture = new Uint8Array(await (await fetch("/pictures/storm.jpg")).arrayBuffer());
  const backends: string[] = [];
  const scores: number[][] = [];
  const classify = async () => {
    const { predictions } = await classifier.classify(picture.slice());
    scores.push(
      predictions.flatMap(({ scores }) =>
        scores.toSorted((a, b) => a.label < b.label ? -1 : 1).map(({ score }) => score)
      ),
    );
    backends.push(classifier.model.encoder.backend);
  };
  await classify();
  if (losesGpu) {
    const channel = new BroadcastChannel("gpu");
    const heard = new Promise((resolve) => channel.onmessage = resolve);
    channel.postMessage("lose it");
    await heard;
    await classify();
  }
  await classifier.close();
  return { backends, scores, lines, files: [...files] };
}

function assertNear(actual: readonly number[], expected: readonly number[], tolerance: number) {
  assert.equal(actual.length, expected.length);
  assert.ok(expected.length > 1);
  for (const [i, value] of actual.entries()) {
    assert.ok(Math.abs(value - expected[i]) <= tolerance, `${value} and ${expected[i]}`);
  }
}

const skipped = ignore ? " (skipped: there is no Chromium)" : "";

Deno.test({
  name:
    `createBrowserClassifier() computes on WebGPU in a worker, and goes on when its GPU is lost${skipped}`,
  ignore,
  async fn() {
    const { backends, scores, lines, files, asked } = await classify({
      options: { bundle: "/bundle", worker: "/gpu_worker.js", backend: "webgpu-software" },
      losesGpu: true,
    });
    assert.deepEqual(backends, ["webgpu", "wasm"]);
    assertNear(scores[0], wasm.scores[0], 5e-3);
    assert.deepEqual(scores[1], wasm.scores[0]);
    assert.equal(lines.length, 1);
    assert.match(lines[0], /^The backend webgpu failed .* the device was lost .*wasm$/);
    assert.equal(asked.filter((path) => path === "gpu_worker.js").length, 1);
    // What takes over is loaded when it does.
    const runtimes = files.filter((path) => path.startsWith("ort-"));
    assert.deepEqual(runtimes, [WEBGPU, WASM]);
  },
});

Deno.test({
  name: `createBrowserClassifier() takes a GPU by itself, in the page's thread too${skipped}`,
  ignore,
  async fn() {
    const { backends, scores, lines, asked } = await classify({
      options: { bundle: "/bundle" },
      isReal: true,
    });
    assert.deepEqual(backends, ["webgpu"]);
    assertNear(scores[0], wasm.scores[0], 5e-3);
    assert.deepEqual(lines, []);
    assert.ok(!asked.includes(WASM));
  },
});

Deno.test({
  name:
    `createBrowserClassifier() takes no software adapter by itself, and loads nothing for it${skipped}`,
  ignore,
  async fn() {
    for (const where of [{ worker: "/worker.js" }, {}]) {
      const { backends, lines, asked } = await classify({
        options: { bundle: "/bundle", ...where },
      });
      assert.deepEqual(backends, ["wasm"]);
      assert.equal(lines.length, 1);
      assert.match(lines[0], /computes on the CPU.*WebAssembly computes in its place$/);
      assert.deepEqual(asked.filter((path) => /webgpu|asyncify/.test(path)), []);
    }
  },
});

Deno.test({
  name:
    `createBrowserClassifier() loads nothing of WebGPU for a bundle without an encoder for it${skipped}`,
  ignore,
  async fn() {
    const { backends, lines, asked } = await classify({
      options: { bundle: "/for_wasm", worker: "/gpu_worker.js?real" },
    });
    assert.deepEqual(backends, ["wasm"]);
    assert.deepEqual(lines, []);
    assert.deepEqual(asked.filter((path) => /^webgpu-|asyncify/.test(path)), []);
  },
});

Deno.test({
  name:
    `createBrowserClassifier() computes on WebAssembly, and says why, where WebGPU's file is not served${skipped}`,
  ignore,
  async fn() {
    const wasmPaths = {
      ort: `/${WASM}`,
      webgpu: `/nowhere/${WEBGPU}`,
      jpeg: "/mozjpeg_dec.wasm",
      png: "/squoosh_png_bg.wasm",
      webp: "/webp_dec.wasm",
    };
    const { webgpu: _, ...four } = wasmPaths;
    for (
      const [paths, why] of [
        [wasmPaths, /^WebAssembly computes in WebGPU's place: .*nowhere.*asyncify\.wasm: .* 404/],
        [
          four,
          /^WebAssembly computes in WebGPU's place: .*asyncify\.wasm: wasmPaths says nothing of webgpu/,
        ],
      ] as const
    ) {
      const { backends, lines, asked } = await classify({
        options: { bundle: "/bundle", worker: "/gpu_worker.js?real", wasmPaths: paths },
      });
      assert.deepEqual(backends, ["wasm"]);
      assert.equal(lines.length, 1);
      assert.match(lines[0], why);
      assert.equal(asked.some((path) => path.includes("asyncify")), paths === wasmPaths);
    }
    const named = { bundle: "/bundle", backend: "webgpu-software", wasmPaths } as const;
    await assert.rejects(
      classify({ options: { ...named, worker: "/worker.js" } }),
      /ClipEError: Cannot load http:.*nowhere.*asyncify\.wasm: the server answered 404/,
    );
  },
});
