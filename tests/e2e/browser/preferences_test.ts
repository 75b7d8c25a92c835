/**
 * What a visitor asks the system for: less motion, other colours.
 */

import assert from "node:assert/strict";
import type { Locator } from "playwright-core";
import { createDecoders } from "@clip-e/edge/decode";
import { pick, pickable } from "./page_use.ts";
import { ignore, setStage } from "./page_stage.ts";

const stage = setStage();
const decoders = createDecoders();

/** How much of a bar is filled, as it is seen: the share of its middle row that looks as its beginning does. */
async function seenShare(track: Locator): Promise<number> {
  const { data, width, height } = await decoders.png(await track.screenshot());
  const colourAt = (x: number) => {
    const at = 4 * (Math.floor(height / 2) * width + x);
    return data.slice(at, at + 3).join();
  };
  const colours = Array.from({ length: width }, (_, x) => colourAt(x));
  return colours.filter((colour) => colour === colours[4]).length / width;
}

for (const forcedColors of ["none", "active"] as const) {
  Deno.test({
    name: `bars are seen, and as long as scores say, where forced colours are ${forcedColors}`,
    ignore,
    async fn() {
      await stage.visit(async (page) => {
        const [card] = await pick(page, "storm.jpg");
        const rows = await card.locator("[data-taxonomy] > .bars li").all();
        let seen = 0;
        for (const row of rows) {
          const track = row.locator(".track");
          const style = await track.getAttribute("style");
          const score = Number(style?.match(/--score: ?([^;]+)/)?.[1]);
          if (score < 0.15 || score > 0.85) continue; // round ends say too much or little there
          const share = await seenShare(track);
          assert.ok(Math.abs(share - score) < 0.05, `${score} is drawn as ${share}`);
          seen++;
        }
        assert.ok(seen >= 4, `${seen} bars`);
      }, { like: { forcedColors, reducedMotion: "reduce" } });
    },
  });
}

Deno.test({
  name: "nothing moves where less motion is asked for",
  ignore,
  async fn() {
    for (const reducedMotion of ["no-preference", "reduce"] as const) {
      await stage.visit(async (page) => {
        await page.route("**/v1/classify", () => {});
        await page.locator("#pick").setInputFiles(await pickable("small.jpg"));
        await page.getByText("Looking at it").waitFor();
        const moving = await page.evaluate("document.getAnimations().length");
        assert.equal(Number(moving) > 0, reducedMotion !== "reduce", `${moving} animations`);
      }, { like: { reducedMotion } });
    }
  },
});
