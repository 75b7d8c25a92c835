/**
 * The camera, by Chromium's own test picture: a photograph of it is classified, it is let go, and refused in words.
 */

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { chooseBrowser, until } from "./page_use.ts";
import { CAMERA, ignore, setStage } from "./page_stage.ts";

const stage = setStage({ flags: [CAMERA] });

/** Keeps every stream that the page gets. */
async function watchStreams(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(`{
    globalThis.tracks = [];
    const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wish) => {
      const stream = await get(wish);
      tracks.push(...stream.getTracks());
      return stream;
    };
  }`);
  return () => page.evaluate("tracks.map((track) => track.kind + ' ' + track.readyState)");
}

const open = (page: Page) => page.getByRole("button", { name: "Use the camera" }).click();
const dialog = (page: Page) => page.getByRole("dialog", { name: "Camera" });

Deno.test({
  name:
    "the camera's own photograph is classified, on the server and here, and the camera is let go",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const states = await watchStreams(page);
      const taken = page.locator('article[aria-label^="camera-"][aria-busy="false"]');
      for (const count of [1, 2]) {
        await open(page);
        await page.locator("#camera_take:enabled").waitFor();
        assert.equal((await states()).at(-1), "video live");
        await dialog(page).getByRole("button", { name: "Take the photograph" }).click();
        await taken.nth(count - 1).waitFor();
        assert.ok(await taken.first().locator("li").count() > 40);
        assert.equal(await dialog(page).isVisible(), false);
        const now = await until(states, (all) => all.every((one) => one === "video ended"));
        assert.deepEqual(now, Array(count).fill("video ended"));
        if (count === 1) await chooseBrowser(page);
      }
    }, { like: { permissions: ["camera"] } });
  },
});

Deno.test({
  name: "the camera is let go when its dialog is left, by Escape or by a button",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const states = await watchStreams(page);
      const leave = [
        () => page.keyboard.press("Escape"),
        () => dialog(page).getByRole("button", { name: "Cancel" }).click(),
      ];
      for (const by of leave) {
        await open(page);
        await page.locator("#camera_take:enabled").waitFor();
        await by();
        await dialog(page).waitFor({ state: "hidden" });
        const now = await until(states, (all) => all.at(-1) === "video ended");
        assert.equal(now.at(-1), "video ended");
        // The focus is where it was before.
        assert.equal(await page.evaluate("document.activeElement.id"), "camera");
      }
      assert.equal(await page.getByRole("article").count(), 0);
    }, { like: { permissions: ["camera"] } });
  },
});

Deno.test({
  name: "a camera that the visitor does not allow is told in words, in the dialog",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      await open(page);
      await dialog(page).getByText("The browser may not use the camera. Allow it").waitFor();
      assert.ok(await page.locator("#camera_take").isDisabled());
      await dialog(page).getByRole("button", { name: "Cancel" }).click();
      await dialog(page).waitFor({ state: "hidden" });
      assert.equal(await page.evaluate("document.activeElement.id"), "camera");
    }, { like: { permissions: [] } });
  },
});
