import assert from "node:assert/strict";
import type { Browser, Locator, Page } from "playwright-core";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { CHROMIUM, isChromiumMissing, launchChromium } from "./chromium.ts";
import { classifyOverHttp } from "./classify_over_http.ts";
import { type ServerProcess, startServer } from "./server_process.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

const ignore = await isChromiumMissing();
if (ignore) console.warn(`Tests of the page are left out: there is no browser at ${CHROMIUM}`);

const bundle = await makeSyntheticBundle();
const folder = await makeTemporaryFolder("page");
let server: ServerProcess;
let browser: Browser;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  await writeBundleFiles(bundle.files, folder.url);
  [server, browser] = await Promise.all([
    startServer(folder.path, "--workers", "1"),
    launchChromium(),
  ]);
});
Deno.test.afterAll(async () => {
  await Promise.all([browser?.close(), server?.stop()]);
  await folder.remove();
});

/** A file as a person picks it. */
async function pickable(name: string, mimeType: string) {
  const { Buffer } = await import("node:buffer");
  return { name, mimeType, buffer: Buffer.from(await readPicture(name)) };
}

/**
 * Opens a page, uses it, and asserts that nothing went wrong behind it.
 *
 * @param path of the page
 * @param use what a person does
 * @param expectedErrors lines that the browser itself prints of refused requests
 */
async function onPage(
  path: string,
  use: (page: Page) => Promise<void>,
  expectedErrors: readonly RegExp[] = [],
): Promise<void> {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const wrong: string[] = [];
  page.on("console", (message) => {
    const text = message.text();
    if (!["error", "warning"].includes(message.type())) return;
    if (!expectedErrors.some((expected) => expected.test(text))) wrong.push(text);
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== server.url && !["blob:", "data:"].includes(protocol)) {
      wrong.push(`a request to ${request.url()}`);
    }
  });
  await page.addInitScript(`addEventListener(
    "securitypolicyviolation",
    (event) => console.error("policy: " + event.violatedDirective + " " + event.blockedURI),
  )`);
  try {
    await page.goto(server.url + path, { waitUntil: "networkidle" });
    await use(page);
    assert.deepEqual(wrong, []);
  } finally {
    await page.close();
  }
}

/** A row of a card: a label, its bar's length and its share. */
async function readRow(row: Locator): Promise<{ name: string; bar: number; share: number }> {
  const [name, percent] = await Promise.all([
    row.locator("span").first().innerText(),
    row.locator(".percent").innerText(),
  ]);
  const style = await row.locator(".track").getAttribute("style");
  return {
    name,
    bar: Number(style?.match(/--score: ?([^;]+)/)?.[1]),
    share: Number(percent.replace(/^<|%$/g, "")) / 100,
  };
}

Deno.test({
  name: "a photograph that is picked gets bars and labels that say what the API says",
  ignore,
  async fn() {
    const expected = await classifyOverHttp(server.url, await readPicture("storm.jpg"));
    await onPage("/", async (page) => {
      await page.locator("#pick").setInputFiles(await pickable("storm.jpg", "image/jpeg"));
      const card = page.locator('article[aria-label="storm.jpg"][aria-busy="false"]');
      await card.waitFor();
      assert.match(await card.innerText(), /1024 × 683/);

      // Long lists are folded; nothing of them is left out.
      for (const more of await card.locator("details summary").all()) await more.click();
      const rows = await Promise.all((await card.locator("li").all()).map(readRow));
      for (const { taxonomy, method, scores } of expected.predictions) {
        const info = bundle.manifest.taxonomies.find(({ id }) => id === taxonomy);
        const question = card.locator(".question", { hasText: info?.title ?? taxonomy });
        assert.match(await question.innerText(), new RegExp(`\\b${method}\\b`));
        for (const { label, score } of scores) {
          const { name, bar, share } = rows.shift() ?? {};
          assert.equal(name, info?.labels.find(({ id }) => id === label)?.title);
          assert.ok(Math.abs((bar ?? NaN) - score) < 1e-6, `${name}: a bar of ${bar}`);
          assert.ok(Math.abs((share ?? NaN) - score) < 0.0051, `${name}: ${share}`);
        }
      }
      assert.deepEqual(rows, []);
    });
  },
});

Deno.test({
  name: "a bad picture gets a message that people can read, beside answers for the good ones",
  ignore,
  async fn() {
    const refused = await fetch(`${server.url}/v1/classify`, {
      method: "POST",
      body: await readPicture("bad/truncated.jpg"),
    });
    const { detail } = await refused.json();
    await onPage("/", async (page) => {
      await page.locator("#pick").setInputFiles([
        await pickable("small.jpg", "image/jpeg"),
        await pickable("bad/truncated.jpg", "image/jpeg"),
        await pickable("rgba.png", "image/png"),
        await pickable("bad/notes.txt", "text/plain"),
      ]);
      await page.locator('article[aria-busy="false"]').nth(3).waitFor();
      const message = (name: string) => page.locator(`article[aria-label="${name}"] .error`);
      assert.equal(await message("bad/truncated.jpg").innerText(), detail);
      assert.match(await message("bad/notes.txt").innerText(), /no picture.*JPEG, PNG or WebP/);
      for (const name of ["small.jpg", "rgba.png"]) {
        assert.equal(await message(name).count(), 0);
        assert.ok(await page.locator(`article[aria-label="${name}"] li`).count() > 40);
      }
      await page.locator("#clear").click();
      assert.equal(await page.locator("article").count(), 0);
    }, [/^Failed to load resource: .* 422 /]);
  },
});

Deno.test({
  name: "the page tells of the model",
  ignore,
  async fn() {
    await onPage("/", async (page) => {
      const model = page.locator("#model");
      await model.waitFor();
      const text = await model.innerText();
      const { name, license, embeddingSpace, taxonomies } = bundle.manifest;
      for (const word of [name, license, embeddingSpace.id, ...taxonomies.map((t) => t.title)]) {
        assert.ok(text.includes(word), `${word} is missing in ${text}`);
      }
    });
  },
});

Deno.test({
  name: "/docs shows every operation, and tries one out",
  ignore,
  async fn() {
    await onPage("/docs", async (page) => {
      await page.locator(".opblock").first().waitFor();
      const paths = await page.locator(".opblock-summary-path").allInnerTexts();
      assert.deepEqual(
        // Zero-width spaces let long paths wrap.
        paths.map((path) => path.replaceAll("\u200b", "")).sort(),
        ["/healthz", "/readyz", "/v1/classify", "/v1/embed", "/v1/model", "/v1/score"],
      );
      const operation = page.locator(".opblock", { hasText: "/readyz" });
      await operation.locator(".opblock-summary").click();
      await operation.locator(".try-out__btn").click();
      await operation.locator(".execute").click();
      const answer = operation.locator(".live-responses-table .response-col_status");
      await answer.first().waitFor();
      assert.match(await operation.locator(".live-responses-table").innerText(), /200[^]*ready/);
    });
  },
});
