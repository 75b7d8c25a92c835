/**
 * The backend of WebGPU in a page's worker, in Chromium, whose own software adapter is the GPU.
 */

import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { makeTowerBundle } from "../tower_bundle.ts";
import { startBrowserHost } from "./browser_host.ts";
import { bundleScripts } from "./bundle_scripts.ts";
import { isChromiumMissing, launchChromium } from "./chromium.ts";
import type { WebGpuFindings } from "./webgpu_worker.ts";

const ignore = await isChromiumMissing();
const ORT = "ort-wasm-simd-threaded.asyncify.wasm";

Deno.test({
  name: `a page's worker computes on WebGPU, and on WebAssembly when its GPU is lost${
    ignore ? " (skipped: there is no Chromium)" : ""
  }`,
  ignore,
  async fn() {
    const [script] = (await bundleScripts({ "worker.js": "tests/e2e/webgpu_worker.ts" })).values();
    const wasm = await Deno.readFile(new URL(import.meta.resolve(`onnxruntime-web/${ORT}`)));
    const host = await startBrowserHost(
      await makeTowerBundle(),
      new Map([["storm.jpg", await readPicture("storm.jpg")]]),
      new Map([["worker.js", script], [ORT, wasm]]),
    );
    const browser = await launchChromium([
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
    ]);
    try {
      const page = await browser.newPage();
      await page.goto(`${host.url}page`);
      const findings = await page.evaluate((url) =>
        new Promise<unknown>((resolve, reject) => {
          const worker = new Worker(`${url}worker.js`, { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.postMessage(url);
        }), host.url) as WebGpuFindings | string;
      assert.ok(typeof findings !== "string", String(findings));
      const { backends, distances, lines } = findings;
      assert.deepEqual(backends, ["webgpu", "wasm"]);
      assert.ok(distances[0] < 1e-4, `${distances[0]} apart`);
      assert.equal(distances[1], 0);
      assert.equal(lines.length, 1);
      assert.match(lines[0], /^The backend webgpu failed .* the device was lost .*wasm$/);
    } finally {
      await browser.close();
      await host.stop();
    }
  },
});
