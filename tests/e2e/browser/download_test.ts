/**
 * The model on its way into the browser: how far it has come, how it is called off, what is kept, and what is refused.
 */

import { MANIFEST_PATH } from "@clip-e/shared";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { megabytes } from "../../../edge/page/formats.js";
import { chooseBrowser, doneCard, note, pick, pickable, readJson } from "./page_use.ts";
import { bundle, ignore, setStage } from "./page_stage.ts";
import { startRecordingProxy } from "./recording_proxy.ts";

const stage = setStage({ servers: [{}, { embedded: true }] });

const RUNTIME = "ort-wasm-simd-threaded.wasm";
const BUNDLE_FILES = [...bundle.files.keys()].filter((path) => path !== MANIFEST_PATH).sort();

/** Files of the bundle that a page asks the server for, beside the manifest. */
function watchBundle(page: Page): string[] {
  const asked: string[] = [];
  page.on("request", (request) => {
    const path = new URL(request.url()).pathname.match(/^\/v1\/bundle\/(.*)$/)?.[1];
    if (path !== undefined && path !== MANIFEST_PATH) asked.push(path);
  });
  return asked;
}

const here = (page: Page) => page.getByRole("radio", { name: "This browser" });
const there = (page: Page) => page.getByRole("radio", { name: "Server" });

Deno.test({
  name: "the download's bar rises from nothing to all that files.json and the manifest announce",
  ignore,
  async fn() {
    const files = await (await fetch(`${stage.url}/browser/files.json`)).json();
    const expected = [...bundle.files.values()].reduce(
      (sum, { length }) => sum + length,
      files[RUNTIME].bytes,
    );
    await stage.visit(async (page) => {
      await chooseBrowser(page);
      const steps: [number, number, string][] = await page.evaluate("globalThis.steps");
      const values = steps.map(([value]) => value);
      assert.deepEqual(values, values.toSorted((a, b) => a - b), "it never falls");
      assert.ok(new Set(values).size > 5, `${values.length} steps`);
      assert.ok(values[0] < expected / 2);
      for (const [value, max, line] of steps) {
        assert.ok(max <= expected && max > expected * 0.99, `${max} of ${expected}`);
        const said = `Fetching the model: ${megabytes(value)} of ${megabytes(max)}`;
        if (value < max) assert.equal(line, said);
      }
      const [value, max, line] = steps.at(-1) ?? [];
      assert.deepEqual([value, max, line], [expected, expected, "Getting the model ready …"]);
      assert.equal(await page.locator("progress").count(), 0);
    }, {
      prepare: (page) =>
        page.addInitScript(`
          globalThis.steps = [];
          new MutationObserver(() => {
            const bar = document.querySelector("progress[value]");
            if (!bar) return;
            const line = document.getElementById(bar.getAttribute("aria-labelledby"));
            steps.push([bar.value, bar.max, line.textContent]);
          }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["value"] });
        `),
    });
  },
});

Deno.test({
  name: "a download that is cancelled leaves the server to ask, and can be begun again",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const hold = Promise.withResolvers<void>();
      await page.route("**/v1/bundle/encoder.onnx", async (route) => {
        await hold.promise;
        await route.continue().catch(() => {}); // it was given up meanwhile
      });
      await here(page).check();
      await page.locator("#pick").setInputFiles(await pickable("small.jpg"));
      await page.getByText("Waiting for the model").waitFor();
      await page.getByRole("progressbar", { name: /^Fetching the model/ }).waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      assert.ok(await there(page).isChecked());
      await note(page, "Pictures are sent to this server.").waitFor();
      const card = doneCard(page, "small.jpg");
      assert.equal(await card.locator(".error").innerText(), "The download was cancelled.");
      await card.getByRole("button", { name: "Send it to the server" }).click();
      await card.locator("li").first().waitFor();

      hold.resolve();
      await page.unroute("**/v1/bundle/encoder.onnx");
      await chooseBrowser(page);
      await card.getByRole("button", { name: "Again in this browser" }).click();
      await card.getByRole("button", { name: "Provenance" }).click();
      await card.getByText("in this browser", { exact: true }).waitFor();
    });
  },
});

Deno.test({
  name:
    "a second visit finds the bundle in the browser, and fetches nothing before a picture comes",
  ignore,
  async fn() {
    const context = await stage.browser.newContext();
    const asked: string[][] = [];
    try {
      await stage.visit(async (page) => {
        asked.push(watchBundle(page));
        await chooseBrowser(page);
        await pick(page, "small.jpg");
      }, { context });
      await stage.visit(async (page) => {
        const files = watchBundle(page);
        asked.push(files);
        assert.ok(await here(page).isChecked(), "the choice is remembered");
        await note(page, /^The model is fetched with the first picture/).waitFor();
        await page.waitForLoadState("networkidle");
        const ofPage: string[] = await page.evaluate(
          "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)",
        );
        assert.ok(!ofPage.some((path) => /classifier\.js|wasm|\/v1\/bundle/.test(path)));
        const [card] = await pick(page, "small.jpg");
        assert.ok(await card.locator("li").count() > 40);
        await note(page, /^Nothing leaves this device/).waitFor();
      }, { context });
    } finally {
      await context.close();
    }
    assert.deepEqual(asked[0].sort(), BUNDLE_FILES);
    assert.deepEqual(asked[1], []);
  },
});

Deno.test({
  name: "another bundle at the same place is fetched anew, and answers",
  ignore,
  async fn() {
    const [synthetic, tiny] = stage.servers;
    const proxy = startRecordingProxy(synthetic.port);
    const context = await stage.browser.newContext();
    try {
      const digests: string[] = [];
      const asked: string[][] = [];
      for (const server of [synthetic, tiny]) {
        proxy.leadTo(server.port);
        await stage.visit(async (page) => {
          asked.push(watchBundle(page));
          await here(page).check(); // the second time it is remembered
          const [card] = await pick(page, "small.jpg");
          digests.push((await readJson(card)).model.bundle);
        }, { origin: proxy.url, context });
      }
      const models = [synthetic, tiny].map(async ({ url }) =>
        (await (await fetch(`${url}/v1/model`)).json()).bundle
      );
      assert.deepEqual(digests, await Promise.all(models));
      assert.notEqual(digests[0], digests[1]);
      assert.deepEqual(asked[0].sort(), BUNDLE_FILES);
      assert.ok(asked[1].includes("encoder.onnx"), "both have one of this name");
    } finally {
      await context.close();
      proxy.stop();
    }
  },
});

for (
  const [what, path, says] of [
    ["file of a bundle", "encoder.onnx", /cannot be opened .*encoder\.onnx.* altered on the way/],
    [
      "manifest",
      MANIFEST_PATH,
      /cannot be opened .*manifest\.json.* SHA-256 .* altered on the way/,
    ],
  ] as const
) {
  Deno.test({
    name: `a ${what} that was tampered with is refused in words, with a way back and another try`,
    ignore,
    async fn() {
      const bytes = bundle.files.get(path)?.slice() ?? assert.fail();
      bytes[bytes.length - 2] ^= 1;
      await stage.visit(async (page) => {
        await page.route(
          `**/v1/bundle/${path}`,
          (route) =>
            route.fulfill({ body: Buffer.from(bytes), contentType: "application/octet-stream" }),
        );
        await here(page).check();
        await note(page, says).waitFor();
        await page.getByRole("button", { name: "Use the server" }).click();
        assert.ok(await there(page).isChecked());
        const [card] = await pick(page, "small.jpg");
        assert.ok(await card.locator("li").count() > 40);
        await here(page).check();
        await note(page, says).waitFor();
        await page.unroute(`**/v1/bundle/${path}`);
        await page.getByRole("button", { name: "Try again" }).click();
        await note(page, /^Nothing leaves this device/).waitFor();
      });
    },
  });
}

Deno.test({
  name: "a download that breaks off says so in words, with a way back and another try",
  ignore,
  async fn() {
    const proxy = startRecordingProxy(stage.servers[0].port);
    try {
      await stage.visit(async (page) => {
        proxy.take();
        proxy.breakAfter(1_000_000);
        await here(page).check();
        await note(page, /cannot be opened in this browser.* broke off\. Check the connection/)
          .waitFor();
        proxy.breakAfter();
        await page.getByRole("button", { name: "Try again" }).click();
        await note(page, /^Nothing leaves this device/).waitFor();
      }, { origin: proxy.url, expectedErrors: [/^Failed to load resource: net::ERR_/] });
    } finally {
      proxy.stop();
    }
  },
});
