/**
 * The page is for everyone, in each of its states: axe-core finds nothing, a small phone shows it whole, fingers meet what they
 * touch, and who asks for less motion gets none.
 */

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { EXPECTED_ERRORS, PAGE_STATES } from "./page_states.ts";
import { CAMERA, ignore, setStage } from "./page_stage.ts";

const stage = setStage({ flags: [CAMERA] });
const axe = await Deno.readTextFile(new URL(import.meta.resolve("axe-core/axe.min.js")));

interface Rule {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

async function assertAccessible(page: Page, where: string): Promise<void> {
  const { violations, passes }: { violations: Rule[]; passes: Rule[] } = await page.evaluate(
    "axe.run({ resultTypes: ['violations'] })",
  );
  const found = violations.map(({ id, impact, nodes }) => ({
    rule: `${id} (${impact})`,
    nodes: nodes.map(({ html, failureSummary }) => html + failureSummary),
  }));
  assert.deepEqual(found, [], where);
  for (const rule of ["color-contrast", "button-name"]) {
    assert.ok(passes.some(({ id }) => id === rule), `${rule} was looked at`);
  }
}

async function assertFitsPhone(page: Page): Promise<void> {
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
  const small = await page.evaluate(`
    [...document.querySelectorAll("button, summary, nav a, label, .button")]
      .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 43.9)
      .filter((one) => !one.matches(".pick, [for]"))
      .map((one) => one.outerHTML.slice(0, 80))
  `);
  assert.deepEqual(small, []);
}

for (const { name, prepare, reach } of PAGE_STATES) {
  Deno.test({
    name: `the page is for everyone, light and dark, on a phone and a desk: ${name}`,
    ignore,
    async fn() {
      await stage.visit(async (page) => {
        await reach(page);
        await page.evaluate(axe);
        // Colours do not depend on the width, nor the layout on colours.
        for (const [width, colorScheme] of [[1280, "light"], [360, "dark"]] as const) {
          await page.setViewportSize({ width, height: 800 });
          await page.emulateMedia({ colorScheme });
          await assertAccessible(page, `${width} pixels, ${colorScheme}`);
        }
        await assertFitsPhone(page);
        assert.equal(await page.evaluate("document.getAnimations().length"), 0);
      }, {
        ...(prepare && { prepare }),
        expectedErrors: EXPECTED_ERRORS,
        like: { reducedMotion: "reduce", permissions: ["camera"] },
      });
    },
  });
}
