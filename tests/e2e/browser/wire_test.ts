/**
 * "Nothing leaves this device": what goes over the wire says so, and not the page.
 */

import assert from "node:assert/strict";
import { chooseBrowser, pick, pickable } from "./page_use.ts";
import { ignore, setStage } from "./page_stage.ts";
import { startRecordingProxy } from "./recording_proxy.ts";

const stage = setStage();

/** Every path that the page may ask for; none has a query that could carry something. */
const PATHS = [
  /^\/(favicon\.svg)?$/,
  /^\/page\/[a-z_]+\.(js|css)$/,
  /^\/browser\/[\w.-]+\.(js|json|wasm)$/,
  /^\/v1\/model$/,
  /^\/v1\/bundle\/(manifest\.json|encoder\.onnx|golden\.safetensors|README\.md)$/,
  /^\/v1\/bundle\/(heads|prompts)\/[a-z-]+\.safetensors$/,
];

Deno.test({
  name: "in browser mode nothing of a picture goes over the wire, by whatever part of the browser",
  ignore,
  async fn() {
    const proxy = startRecordingProxy(stage.servers[0].port);
    const names = ["storm.jpg", "rgba.png", "lossy.webp"];
    const files = await Promise.all(names.map(pickable));
    const context = await stage.browser.newContext();
    const seen: { method: string; path: string }[] = [];
    context.on("request", (request) => {
      const { origin, pathname, search } = new URL(request.url());
      if (origin !== proxy.url) return;
      seen.push({ method: request.method(), path: pathname + search });
    });
    try {
      const visit = async (isHere: boolean) => {
        await stage.visit(async (page) => {
          if (isHere) await chooseBrowser(page);
          const cards = await pick(page, ...files);
          for (const card of cards) assert.ok(await card.locator("li").count() > 40);
        }, { origin: proxy.url, context });
        return { ...proxy.take(), seen: seen.splice(0) };
      };
      const own = files.reduce((sum, { buffer }) => sum + buffer.length, 0);

      // The witnesses see what there is to see.
      const sent = await visit(false);
      const posted = sent.requests.filter(({ method }) => method === "POST");
      assert.deepEqual(
        posted.map(({ path, body }) => `${path} ${body}`).sort(),
        files.map(({ buffer }) => `/v1/classify ${buffer.length}`).sort(),
      );
      assert.ok(sent.bytes > own);
      assert.equal(sent.seen.filter(({ method }) => method === "POST").length, files.length);

      const kept = await visit(true);
      assert.deepEqual(
        kept.requests.filter(({ method, body }) => method !== "GET" || body > 0),
        [],
      );
      assert.deepEqual(kept.seen.filter(({ method }) => method !== "GET"), []);
      for (const { path } of kept.requests) {
        assert.ok(PATHS.some((known) => known.test(path)), `${path} was asked for`);
      }
      // A worker's requests are among them, on the wire and in the browser's own account.
      for (const paths of [kept.requests, kept.seen]) {
        for (const file of ["worker.js", "ort-wasm-simd-threaded.wasm", "mozjpeg_dec.wasm"]) {
          assert.ok(paths.some(({ path }) => path === `/browser/${file}`), file);
        }
      }
      // The heads of requests are all that was sent, and hold no more than a head does.
      const heads = kept.requests.reduce((sum, { head }) => sum + head.length, 0);
      assert.equal(kept.bytes, heads);
      for (const { head } of kept.requests) assert.ok(head.length < 1000, head);
      assert.ok(kept.bytes < own / 4, `${kept.bytes} of ${own} bytes`);
    } finally {
      await context.close();
      proxy.stop();
    }
  },
});
