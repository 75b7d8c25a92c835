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
    launchChromium(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]),
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
 * @param prepare what happens before it is opened
 */
async function onPage(
  path: string,
  use: (page: Page) => Promise<void>,
  expectedErrors: readonly RegExp[] = [],
  prepare: (page: Page) => Promise<unknown> = () => Promise.resolve(),
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
    await prepare(page);
    await page.goto(server.url + path, { waitUntil: "networkidle" });
    await use(page);
    assert.deepEqual(wrong, []);
  } finally {
    await page.close();
  }
}

/** Picks pictures, and waits until each has its answer, or its problem. */
async function pick(page: Page, ...names: readonly string[]): Promise<Locator[]> {
  const type = (name: string) => `image/${name.replace(/^.*\./, "").replace("jpg", "jpeg")}`;
  const files = await Promise.all(names.map((name) => pickable(name, type(name))));
  await page.locator("#pick").setInputFiles(files);
  const cards = names.map((name) =>
    page.locator(`article[aria-label="${name}"][aria-busy="false"]`)
  );
  await Promise.all(cards.map((card) => card.waitFor()));
  return cards;
}

/** Answers calls of `/v1/classify` with a problem, so long as there is one. */
async function refuse(
  page: Page,
  problem: (headers: Record<string, string>) => { status: number; retryAfter?: string } | undefined,
): Promise<void> {
  await page.route("**/v1/**", async (route) => {
    const found = problem(route.request().headers());
    if (!found) return await route.continue();
    await route.fulfill({
      status: found.status,
      contentType: "application/problem+json",
      headers: found.retryAfter ? { "Retry-After": found.retryAfter } : {},
      body: JSON.stringify({ title: "Refused", detail: "Not now.", status: found.status }),
    });
  });
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
        const question = card.locator(`[data-taxonomy="${taxonomy}"] .question`);
        assert.ok((await question.innerText()).includes(info?.title ?? taxonomy));
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
  name: "comparing methods shows every method of a taxonomy beside the others, row by row",
  ignore,
  async fn() {
    await onPage("/", async (page) => {
      await pick(page, "storm.jpg");
      await page.getByRole("checkbox", { name: "Compare methods" }).check();
      const taxonomy = page.locator('[aria-busy="false"] [data-taxonomy="primary"]');
      await taxonomy.locator(".method").nth(2).waitFor();
      const methods = await taxonomy.locator(".method").all();
      const seen = await Promise.all(methods.map(async (method) => ({
        name: await method.locator("h4").innerText(),
        measured: await method.locator(".quiet").innerText(),
        rows: await Promise.all((await method.locator("li").all()).map(readRow)),
      })));
      const response = await fetch(`${server.url}/v1/classify?taxonomy=primary&method=all`, {
        method: "POST",
        body: await readPicture("storm.jpg"),
      });
      const { predictions } = await response.json();
      assert.deepEqual(
        seen.map(({ name, measured }) => `${name}: ${measured}`),
        ["cross-entropy: accuracy 50%", "contrastive: not measured", "zero-shot: not measured"],
      );
      const [first] = seen;
      for (const [place, { rows, name }] of seen.entries()) {
        assert.equal(predictions[place].method, name);
        assert.deepEqual(rows.map((row) => row.name), first.rows.map((row) => row.name));
        for (const { label, score } of predictions[place].scores) {
          const row = rows.find((row) => row.name.toLowerCase() === label);
          assert.ok(Math.abs((row?.bar ?? NaN) - score) < 1e-6, `${name}: ${label}`);
        }
      }
      assert.match(await page.locator("#call pre").innerText(), /v1\/classify\?method=all/);
    });
  },
});

Deno.test({
  name: "a card opens its provenance, its answer as JSON and its call, one at a time",
  ignore,
  async fn() {
    const expected = await classifyOverHttp(server.url, await readPicture("storm.jpg"));
    const { embeddingSpace, encoders: [encoder], license } = bundle.manifest;
    await onPage("/", async (page) => {
      const [card] = await pick(page, "storm.jpg");
      const open = async (name: string) => {
        const button = card.getByRole("button", { name, exact: true });
        await button.click();
        assert.equal(await button.getAttribute("aria-expanded"), "true");
        assert.equal(await card.locator('[aria-expanded="true"]').count(), 1);
        return card.locator(".panel");
      };
      const provenance = await (await open("Provenance")).innerText();
      const { model: { bundle: digest } } = JSON.parse(
        await (await open("JSON")).locator("pre").innerText(),
      );
      for (const word of [embeddingSpace.id, encoder.precision, license, digest, "1024 × 683"]) {
        assert.ok(provenance.includes(word), `${word} is missing in ${provenance}`);
      }
      const json = await card.locator(".panel pre").innerText();
      assert.deepEqual(JSON.parse(json).predictions, expected.predictions);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        card.getByRole("button", { name: "Download" }).click(),
      ]);
      assert.equal(download.suggestedFilename(), "storm.jpg.json");
      assert.equal(
        await (await open("The call")).locator("pre").innerText(),
        "curl --data-binary @storm.jpg -H 'Content-Type: image/jpeg' " +
          `${server.url}/v1/classify`,
      );
    });
  },
});

Deno.test({
  name: "pictures that are dropped or pasted are classified too",
  ignore,
  async fn() {
    const bytes = Array.from(await readPicture("small.jpg"));
    await onPage("/", async (page) => {
      for (const [type, key] of [["drop", "dataTransfer"], ["paste", "clipboardData"]]) {
        await page.evaluate(`{
          const data = new DataTransfer();
          const bytes = new Uint8Array(${JSON.stringify(bytes)});
          data.items.add(new File([bytes], "${type}.jpg", { type: "image/jpeg" }));
          const Kind = { drop: DragEvent, paste: ClipboardEvent }["${type}"];
          const event = new Kind("${type}", { ${key}: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        }`);
        const card = page.locator(`article[aria-label="${type}.jpg"][aria-busy="false"]`);
        await card.waitFor();
        assert.ok(await card.locator("li").count() > 40);
      }
      assert.equal(await page.locator("#count").innerText(), "2 pictures");
    });
  },
});

Deno.test({
  name: "the camera's own photograph is classified, and the camera is let go",
  ignore,
  async fn() {
    await onPage("/", async (page) => {
      await page.evaluate(`{
        const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => globalThis.stream = await get(wish);
      }`);
      const states = () =>
        page.evaluate("globalThis.stream.getTracks().map((track) => track.readyState)");
      await page.getByRole("button", { name: "Use the camera" }).click();
      const dialog = page.getByRole("dialog", { name: "Camera" });
      await page.locator("#camera_take:enabled").waitFor();
      assert.deepEqual(await states(), ["live"]);
      await dialog.getByRole("button", { name: "Take the photograph" }).click();
      const card = page.locator('article[aria-label^="camera-"][aria-busy="false"]');
      await card.waitFor();
      assert.ok(await card.locator("li").count() > 40);
      assert.equal(await dialog.isVisible(), false);
      assert.deepEqual(await states(), ["ended"]);

      await page.getByRole("button", { name: "Use the camera" }).click();
      await page.locator("#camera_take:enabled").waitFor();
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      assert.deepEqual(await states(), ["ended"]);
    });
  },
});

Deno.test({
  name: "a server that asks for a token gets the one that a person gives, until the tab is closed",
  ignore,
  async fn() {
    const wanted = (headers: Record<string, string>) =>
      headers.authorization === "Bearer sesame" ? undefined : { status: 401 };
    await onPage(
      "/",
      async (page) => {
        const field = page.getByLabel("Token", { exact: true });
        await field.waitFor();
        assert.equal(await field.getAttribute("type"), "password");
        const message = page.locator("#token_message");
        assert.match(await message.innerText(), /asks for a token/);
        await page.locator("#pick").setInputFiles(await pickable("small.jpg", "image/jpeg"));
        await page.getByText("Waiting for the token").waitFor();
        await field.fill("wrong");
        await field.press("Enter");
        await message.getByText("does not know this token").waitFor();
        await field.fill("sesame");
        await field.press("Enter");
        const card = page.locator('article[aria-busy="false"]');
        await card.locator("li").first().waitFor();
        assert.equal(await field.isVisible(), false);
        assert.match(
          await page.locator("#call pre").innerText(),
          /-H "Authorization: Bearer \$TOKEN"/,
        );
        await page.reload();
        await page.locator("#model").waitFor();
        assert.equal(await field.isVisible(), false);
      },
      [/^Failed to load resource: .* 401 /],
      (page) => refuse(page, wanted),
    );
  },
});

Deno.test({
  name: "a picture that a busy server puts off waits as long as it asks, in sight, or is hurried",
  ignore,
  async fn() {
    const answers = ["1", "600", undefined];
    await onPage("/", async (page) => {
      await refuse(page, () => {
        const retryAfter = answers.shift();
        return retryAfter ? { status: 429, retryAfter } : undefined;
      });
      await page.locator("#pick").setInputFiles(await pickable("small.jpg", "image/jpeg"));
      const countdown = page.locator(".countdown");
      await countdown.getByText("Trying again in 1 s").waitFor();
      await countdown.getByText(/Trying again in (600|599) s/).waitFor();
      await page.getByRole("button", { name: "Try now" }).click();
      await page.locator('article[aria-busy="false"] li').first().waitFor();
    }, [/^Failed to load resource: .* 429 /]);
  },
});

Deno.test({
  name: "an answer by a simpler method says so, and so do scores that do not add up",
  ignore,
  async fn() {
    await onPage("/", async (page) => {
      await page.route("**/v1/classify", async (route) => {
        const response = await route.fetch();
        const { predictions, ...rest } = await response.json();
        predictions[0].degraded = true;
        predictions[1].normalization = "sigmoid";
        await route.fulfill({ response, json: { ...rest, predictions } });
      });
      const [card] = await pick(page, "small.jpg");
      const notes = async (taxonomy: string) => await card.locator(taxonomy).innerText();
      assert.match(await notes('[data-taxonomy="polarity"]'), /a simpler method stood in/);
      assert.match(await notes('[data-taxonomy="primary"]'), /do not add up to 100%/);
      assert.doesNotMatch(await notes('[data-taxonomy="secondary"]'), /stood in|add up/);
    });
  },
});

Deno.test({
  name: "a model card's Markdown is rendered, and can do no more than text",
  ignore,
  async fn() {
    const modelCard = [
      "# Weak & <b>honest</b>",
      "A **bold** word, `code`, *so*, a [link](https://example.org/), a [trap](javascript:alert(1)).",
      "",
      "- one",
      "- two",
      "",
      "| method | accuracy |",
      "| --- | --- |",
      "| zero-shot | 0.5 |",
      "",
      '<img src="x" onerror="alert(1)">',
    ].join("\n");
    await onPage(
      "/",
      async (page) => {
        await page.getByText("Model card", { exact: true }).click();
        const card = page.locator(".markdown");
        assert.equal(await card.locator("h3").innerText(), "Weak & <b>honest</b>");
        for (const [tag, text] of [["strong", "bold"], ["code", "code"], ["em", "so"]]) {
          assert.equal(await card.locator(tag).innerText(), text);
        }
        assert.deepEqual(await card.locator("ul > li").allInnerTexts(), ["one", "two"]);
        assert.deepEqual(await card.locator("td").allInnerTexts(), ["zero-shot", "0.5"]);
        assert.equal(await card.locator("a").count(), 1);
        assert.equal(await card.locator("a").getAttribute("href"), "https://example.org/");
        assert.ok((await card.innerText()).includes("[trap](javascript:alert(1))"));
        assert.equal(await card.locator("img, b").count(), 0);
      },
      [],
      (page) =>
        page.route("**/v1/model", async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, json: { ...await response.json(), modelCard } });
        }),
    );
  },
});

Deno.test({
  name: "nothing of the page is wider than a small phone, and what is touched is large enough",
  ignore,
  async fn() {
    await onPage("/", async (page) => {
      await page.setViewportSize({ width: 360, height: 740 });
      const [card] = await pick(page, "storm.jpg");
      await page.getByRole("checkbox", { name: "Compare methods" }).check();
      await card.locator(".method").first().waitFor();
      await card.getByRole("button", { name: "JSON" }).click();
      for (const more of await page.locator("summary:visible").all()) await more.click();
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
      const small = await page.evaluate(`
        [...document.querySelectorAll("button, summary, nav a, label, pre")]
          .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 43.9)
          .filter((one) => !one.matches(".pick"))
          .map((one) => one.outerHTML.slice(0, 80))
      `);
      assert.deepEqual(small, []);
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
        [
          "/healthz",
          "/readyz",
          "/v1/bundle/{path}",
          "/v1/classify",
          "/v1/embed",
          "/v1/model",
          "/v1/score",
        ],
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
