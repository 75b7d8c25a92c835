/**
 * The whole page by keyboard: every step is reached, seen where it is, and never lost.
 */

import assert from "node:assert/strict";
import type { FileChooser, Locator, Page } from "playwright-core";
import { doneCard, note, pickable, until } from "./page_use.ts";
import { ignore, setStage } from "./page_stage.ts";

const stage = setStage();

/** What has the focus, and whether that is seen: by an outline of its own, or of what stands around it. */
async function focus(page: Page): Promise<{ tag: string; isSeen: boolean }> {
  return await page.evaluate(`(() => {
    const one = document.activeElement ?? document.body;
    const around = [one, one.closest("label"), one.closest(".drop")];
    const isSeen = around.some((one) => {
      if (!one) return false;
      const { outlineStyle, outlineWidth, opacity } = getComputedStyle(one);
      return opacity !== "0" && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    });
    return { tag: one.tagName, isSeen };
  })()`);
}

async function assertFocus(page: Page, what: string): Promise<void> {
  const { tag, isSeen } = await focus(page);
  assert.notEqual(tag, "BODY", `the focus is lost: ${what}`);
  assert.ok(isSeen, `the focus on ${tag} is not seen: ${what}`);
}

/** Goes on by Tab until something has the focus, which is seen all the way. */
async function tabTo(page: Page, target: Locator, key = "Tab"): Promise<void> {
  const has = () => target.evaluate((one) => one === one.ownerDocument.activeElement);
  for (let steps = 0; !await has(); steps++) {
    assert.ok(steps < 60, `${target} is not reached by ${key}`);
    await page.keyboard.press(key);
    await assertFocus(page, `on the way to ${target}`);
  }
}

/** Presses a key on something, after which the focus must be somewhere. */
async function press(page: Page, target: Locator, key: string): Promise<void> {
  await tabTo(page, target);
  await page.keyboard.press(key);
  await assertFocus(page, `${key} on ${target}`);
}

Deno.test({
  name: "everything is done by keyboard alone, and the focus is always seen",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const button = (name: string) => page.getByRole("button", { name, exact: true });
      const choosers: FileChooser[] = [];
      page.on("filechooser", (chooser) => choosers.push(chooser));
      await page.keyboard.press("Tab");
      await tabTo(page, page.getByRole("radio", { name: "Server" }));
      await page.keyboard.press("ArrowRight");
      assert.ok(await page.getByRole("radio", { name: "This browser" }).isChecked());
      await note(page, /^Nothing leaves this device/).waitFor();
      await assertFocus(page, "the engine is ready");

      await press(page, page.getByRole("checkbox", { name: "Compare methods" }), "Space");
      await tabTo(page, page.locator("#pick"));
      for (const key of ["Enter", "Space"]) {
        await page.keyboard.press(key);
        const chooser = await until(() => choosers.shift(), (one) => one !== undefined);
        assert.ok(chooser, `${key} opens the choice of files`);
        await chooser.setFiles(key === "Enter" ? [] : await pickable("storm.jpg"));
        await assertFocus(page, "a picture was chosen");
      }
      const card = doneCard(page, "storm.jpg");
      await card.waitFor();
      assert.match(await page.getByRole("status").innerText(), /^storm\.jpg\. .*\d%/);
      await assertFocus(page, "the answer is there");

      for (const name of ["Provenance", "JSON", "The call"]) {
        await press(page, card.getByRole("button", { name, exact: true }), "Enter");
        assert.ok(await card.locator(".panel").isVisible());
        await page.keyboard.press("Tab");
      }
      await tabTo(page, card.getByRole("group", { name: "The call in TypeScript" }));
      await press(page, page.getByText("Model card", { exact: true }), "Enter");
      assert.ok(await page.locator(".markdown").isVisible());

      await tabTo(page, button("Clear"), "Shift+Tab");
      await page.keyboard.press("Enter");
      await assertFocus(page, "the cards are gone");
      assert.equal(await page.getByRole("article").count(), 0);
      await tabTo(page, page.getByRole("radio", { name: "This browser" }), "Shift+Tab");
      await page.keyboard.press("ArrowLeft");
      await assertFocus(page, "the engine is changed");
      assert.ok(await page.getByRole("radio", { name: "Server" }).isChecked());
    });
  },
});

Deno.test({
  name: "the focus is not lost where what had it goes: a download's button, a card's, all cards'",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const button = (name: string) => page.getByRole("button", { name, exact: true });
      await page.locator("#pick").setInputFiles([
        await pickable("small.jpg"),
        await pickable("grey.jpg"),
      ]);
      await doneCard(page, "grey.jpg").waitFor();
      const hold = Promise.withResolvers<void>();
      await page.route("**/v1/bundle/encoder.onnx", async (route) => {
        await hold.promise;
        await route.continue().catch(() => {}); // it was given up meanwhile
      });
      await page.keyboard.press("Tab");
      await tabTo(page, page.getByRole("radio", { name: "Server" }));
      await page.keyboard.press("ArrowRight");
      await press(page, button("Cancel"), "Enter");
      hold.resolve();
      await page.keyboard.press("ArrowRight");
      await note(page, /^Nothing leaves this device/).waitFor();
      await assertFocus(page, "the engine is ready");

      const card = doneCard(page, "small.jpg");
      await press(page, card.getByRole("button", { name: "Again in this browser" }), "Enter");
      await card.waitFor();
      await assertFocus(page, "the card was asked again");
      await page.locator("#pick").setInputFiles([
        await pickable("odd_size.jpg"),
        await pickable("tall.jpg"),
      ]);
      await doneCard(page, "tall.jpg").waitFor();
      await page.getByRole("radio", { name: "Server" }).check();
      await press(page, button("All again on the server"), "Space");
      await page.locator("#count", { hasText: "4 pictures" }).waitFor();
      await assertFocus(page, "all cards were asked again");
    });
  },
});
