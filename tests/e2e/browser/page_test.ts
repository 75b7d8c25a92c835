/**
 * The page in a browser: what a person sees says what the API says.
 */

import assert from "node:assert/strict";
import type { Locator } from "playwright-core";
import { readPicture } from "../../golden_file.ts";
import { classifyOverHttp } from "../classify_over_http.ts";
import { pick, pickable } from "./page_use.ts";
import { bundle, ignore, setStage } from "./page_stage.ts";

const stage = setStage();

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
    const expected = await classifyOverHttp(stage.url, await readPicture("storm.jpg"));
    await stage.visit(async (page) => {
      const [card] = await pick(page, "storm.jpg");
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
    const refused = await fetch(`${stage.url}/v1/classify`, {
      method: "POST",
      body: await readPicture("bad/truncated.jpg"),
    });
    const { detail } = await refused.json();
    await stage.visit(async (page) => {
      await pick(page, "small.jpg", "bad/truncated.jpg", "rgba.png", "bad/notes.txt");
      const message = (name: string) => page.locator(`article[aria-label="${name}"] .error`);
      assert.equal(await message("bad/truncated.jpg").innerText(), detail);
      assert.match(await message("bad/notes.txt").innerText(), /no picture.*JPEG, PNG or WebP/);
      for (const name of ["small.jpg", "rgba.png"]) {
        assert.equal(await message(name).count(), 0);
        assert.ok(await page.locator(`article[aria-label="${name}"] li`).count() > 40);
      }
      await page.locator("#clear").click();
      assert.equal(await page.locator("article").count(), 0);
    }, { expectedErrors: [/^Failed to load resource: .* 422 /] });
  },
});

Deno.test({
  name: "the page tells of the model",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
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
    await stage.visit(async (page) => {
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
      const response = await fetch(`${stage.url}/v1/classify?taxonomy=primary&method=all`, {
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
    const expected = await classifyOverHttp(stage.url, await readPicture("storm.jpg"));
    const { embeddingSpace, encoders: [encoder], license } = bundle.manifest;
    await stage.visit(async (page) => {
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
          `${stage.url}/v1/classify`,
      );
    });
  },
});

Deno.test({
  name: "a picture that a busy server puts off waits as long as it asks, in sight, or is hurried",
  ignore,
  async fn() {
    const answers = ["1", "600", undefined];
    await stage.visit(async (page) => {
      await page.route("**/v1/classify", async (route) => {
        const retryAfter = answers.shift();
        if (retryAfter === undefined) return await route.continue();
        await route.fulfill({
          status: 429,
          contentType: "application/problem+json",
          headers: { "Retry-After": retryAfter },
          body: JSON.stringify({ title: "Refused", detail: "Not now.", status: 429 }),
        });
      });
      await page.locator("#pick").setInputFiles(await pickable("small.jpg"));
      const countdown = page.locator(".countdown");
      await countdown.getByText("Trying again in 1 s").waitFor();
      await countdown.getByText(/Trying again in (600|599) s/).waitFor();
      await page.getByRole("button", { name: "Try now" }).click();
      await page.locator('article[aria-busy="false"] li').first().waitFor();
    }, { expectedErrors: [/^Failed to load resource: .* 429 /] });
  },
});

Deno.test({
  name: "an answer by a simpler method says so, and so do scores that do not add up",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
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
    await stage.visit(
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
      {
        prepare: (page) =>
          page.route("**/v1/model", async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, json: { ...await response.json(), modelCard } });
          }),
      },
    );
  },
});

Deno.test({
  name: "/docs shows every operation, and tries one out",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
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
    }, { path: "/docs" });
  },
});
