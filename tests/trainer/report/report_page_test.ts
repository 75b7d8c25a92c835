/**
 * The report in a real browser, without a network: it runs nothing, asks for nothing, fits a phone and can be read.
 */

import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import type { Experiment } from "../../../trainer/evaluation/experiment.ts";
import { addThumbnails } from "../../../trainer/report/thumbnail.ts";
import { writeReport } from "../../../trainer/report/write_report.ts";
import { CHROMIUM, isChromiumMissing, launchChromium } from "../../e2e/chromium.ts";
import { readPicture } from "../../golden_file.ts";
import { makeHostileExperiment } from "./hostile_experiment.ts";
import { makeSyntheticExperiment } from "./synthetic_experiment.ts";

const ignore = await isChromiumMissing();
if (ignore) console.warn(`Tests of the report are left out: there is no browser at ${CHROMIUM}`);

let browser: Browser;
let folder: string;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  folder = await Deno.makeTempDir({ prefix: "clip_e_report_" });
  const picture = await readPicture("small.jpg");
  const illustrate = (experiment: Experiment) =>
    addThumbnails(experiment, () => Promise.resolve(picture));
  await writeReport(`${folder}/plain`, await illustrate(makeSyntheticExperiment()));
  await writeReport(`${folder}/hostile`, await illustrate(makeHostileExperiment()));
  browser = await launchChromium();
});
Deno.test.afterAll(async () => {
  await browser?.close();
  if (folder) await Deno.remove(folder, { recursive: true });
});

/** Opens a report, looks at it, and asserts that it asked for nothing and nothing went wrong. */
async function onReport(
  name: "plain" | "hostile",
  options: { readonly width?: number; readonly colorScheme?: "light" | "dark" },
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const { width = 1280, colorScheme = "light" } = options;
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme,
    offline: true,
  });
  const wrong: string[] = [];
  const page = await context.newPage();
  const address = `file://${folder}/${name}/report.html`;
  page.on("console", (message) => wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith("data:")) wrong.push(`a request to ${url}`);
  });
  try {
    await page.goto(address, { waitUntil: "load" });
    await look(page);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
  }
}

for (const name of ["plain", "hostile"] as const) {
  Deno.test({
    name: `the ${name} report runs no script, and its plots are well-formed XML`,
    ignore,
    fn: () =>
      onReport(name, {}, async (page) => {
        const found = await page.evaluate(`({
          scripts: document.scripts.length,
          hit: typeof window.hit,
          broken: [...document.images].filter((i) => i.naturalWidth === 0).length,
          images: document.images.length,
          handlers: [...document.querySelectorAll("*")].flatMap((e) => e.getAttributeNames())
            .filter((name) => name.startsWith("on") || name === "style"),
        })`) as Record<string, unknown>;
        assert.ok(Number(found.images) > 4);
        delete found.images;
        assert.deepEqual(found, { scripts: 0, hit: "undefined", broken: 0, handlers: [] });
        const source = await Deno.readTextFile(`${folder}/${name}/report.html`);
        const plots = source.match(/<svg.*?<\/svg>/gs) ?? [];
        assert.ok(plots.length > 10);
        const faults = await page.evaluate(
          `((plots) => plots.map((plot) => new DOMParser()
            .parseFromString(plot, "image/svg+xml").querySelector("parsererror")?.textContent))`
            .concat(`(${JSON.stringify(plots)})`),
        ) as unknown[];
        assert.deepEqual(faults.filter((fault) => fault), []);
      }),
  });

  for (const width of name === "plain" ? [320, 390] : [320]) {
    Deno.test({
      name: `nothing of the ${name} report is wider than a screen of ${width} pixels`,
      ignore,
      fn: () =>
        onReport(name, { width }, async (page) => {
          const wide = await page.evaluate(`
            [...document.querySelectorAll("html, main *, header *, nav *")]
              .filter((e) => !e.closest(".scroll *, svg *"))
              .filter((e) => Math.max(e.scrollWidth, e.getBoundingClientRect().right) > innerWidth)
              .filter((e) => e.className !== "scroll")
              .map((e) => e.outerHTML.slice(0, 200))`);
          assert.deepEqual(wide, []);
        }),
    });
  }
}

Deno.test({
  name: "the report's headings, tables, pictures and links have what readers without eyes need",
  ignore,
  fn: () =>
    onReport("plain", {}, async (page) => {
      const levels = await page.evaluate(
        `[...document.querySelectorAll("h1, h2, h3, h4")].map((h) => Number(h.tagName[1]))`,
      ) as number[];
      assert.equal(levels.filter((level) => level === 1).length, 1);
      for (const [i, level] of levels.entries()) {
        assert.ok(level <= (levels[i - 1] ?? 0) + 1, `heading ${i} of ${levels}`);
      }
      const nameless = await page.evaluate(`[
        ...[...document.querySelectorAll("svg")]
          .filter((e) => e.getAttribute("role") !== "img" || !e.getAttribute("aria-label")),
        ...[...document.images].filter((e) => !e.alt),
        ...[...document.querySelectorAll("table")].filter((e) => !e.caption?.textContent),
        ...[...document.querySelectorAll("th")].filter((e) => !e.scope || !e.textContent.trim()),
        ...[...document.querySelectorAll("[aria-labelledby]")]
          .filter((e) => !document.getElementById(e.getAttribute("aria-labelledby"))),
        ...[...document.links].filter((e) => !document.querySelector(e.getAttribute("href"))),
        ...[...document.querySelectorAll(".scroll")].filter((e) => e.tabIndex !== 0),
      ].map((e) => e.outerHTML.slice(0, 200))`);
      assert.deepEqual(nameless, []);
      assert.equal(await page.evaluate("document.documentElement.lang"), "en");
      assert.equal(await page.locator("main > section > h2").count(), 11);
    }),
});

/** Of two colours as a browser computes them, by WCAG 2.2. */
function contrast(one: string, other: string): number {
  const [dark, light] = [one, other].map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const numbers = color.match(/[\d.]+(?:e-\d+)?/g)?.map(Number) ?? [];
  const [r, g, b] = numbers.map((x) => color.startsWith("rgb") ? x / 255 : x)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

for (const colorScheme of ["light", "dark"] as const) {
  Deno.test({
    name: `figures stand out from every shade of the confusion matrices when it is ${colorScheme}`,
    ignore,
    fn: () =>
      onReport("plain", { colorScheme }, async (page) => {
        const pairs = await page.evaluate(`[...new Set(
          [...document.querySelectorAll(".confusion td")].map((e) => getComputedStyle(e))
            .map(({ color, backgroundColor }) => color + "; " + backgroundColor),
        )]`) as string[];
        assert.ok(pairs.length > 8);
        for (const pair of pairs) {
          const [color, ground] = pair.split("; ");
          assert.ok(contrast(color, ground) >= 4.5, `${pair}: ${contrast(color, ground)}`);
        }
        const body = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        assert.equal(luminance(String(body)) > 0.5, colorScheme === "light");
      }),
  });
}
