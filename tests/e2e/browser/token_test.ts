/**
 * A server that wants a token: it is asked for once, goes in a header alone, and is forgotten with the tab.
 */

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { doneCard, note, pick, pickable } from "./page_use.ts";
import { ignore, setStage } from "./page_stage.ts";

const TOKEN = "sesame-0123456789";
const stage = setStage({ servers: [{ tokens: [TOKEN] }] });
const EXPECTED = [/^Failed to load resource: .* 401 /];

const field = (page: Page) => page.getByLabel("Token", { exact: true });

/** Watches where the token goes; headers of any other name would be found in them too. */
function watchToken(page: Page): { places: Set<string>; urls: string[] } {
  const places = new Set<string>();
  const urls: string[] = [];
  page.on("request", (request) => {
    urls.push(request.url());
    const path = new URL(request.url()).pathname.replace(/^(\/(?:v1\/)?\w*).*$/, "$1");
    for (const [name, value] of Object.entries(request.headers())) {
      if (value.includes(TOKEN)) places.add(`${name} of ${path}`);
    }
  });
  return { places, urls };
}

async function assertForgotten(page: Page, urls: readonly string[]): Promise<void> {
  assert.ok(urls.length > 10);
  assert.ok(!urls.some((url) => url.includes("sesame")), "in no address");
  assert.ok(!page.url().includes("sesame"));
  const kept: string = await page.evaluate(`(async () => {
    const cached = [];
    for (const name of await caches.keys()) {
      for (const { url, headers } of await (await caches.open(name)).keys()) {
        cached.push(url, ...headers);
      }
    }
    return [JSON.stringify(localStorage), document.cookie, document.body.textContent, ...cached]
      .join();
  })()`);
  assert.ok(kept.includes("What does a picture evoke?"));
  assert.ok(!kept.includes("sesame"), "nowhere that lasts, nor on the page");
}

Deno.test({
  name:
    "a server that wants a token gets the one that a person gives, which goes in a header alone",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const { places, urls } = watchToken(page);
      await field(page).waitFor();
      assert.match(await page.locator("#token_message").innerText(), /asks for a token/);
      assert.equal(await field(page).getAttribute("type"), "password");
      await page.locator("#pick").setInputFiles(await pickable("small.jpg"));
      await page.getByText("Waiting for the token").waitFor();
      await field(page).fill("wrong");
      await page.getByRole("button", { name: "Use the token" }).click();
      await page.locator("#token_message", { hasText: "does not know this token" }).waitFor();
      await field(page).fill(TOKEN);
      await field(page).press("Enter");
      const card = doneCard(page, "small.jpg");
      await card.locator("li").first().waitFor();
      assert.equal(await field(page).isVisible(), false);
      await page.locator("#model").waitFor();
      await card.getByRole("button", { name: "The call" }).click();
      for (const call of [card.locator(".panel pre"), page.locator("#call pre")]) {
        assert.match(await call.innerText(), /-H "Authorization: Bearer \$TOKEN"/);
      }
      await page.reload();
      await page.locator("#model").waitFor();
      assert.equal(await field(page).isVisible(), false, "this tab knows it");
      await assertForgotten(page, urls);
      assert.deepEqual([...places].sort(), [
        "authorization of /v1/classify",
        "authorization of /v1/model",
      ]);
    }, { expectedErrors: EXPECTED });
  },
});

Deno.test({
  name: "in browser mode the token goes with the bundle's files, and no picture with the token",
  ignore,
  async fn() {
    await stage.visit(async (page) => {
      const { places, urls } = watchToken(page);
      await field(page).waitFor();
      await page.getByRole("radio", { name: "This browser" }).check();
      await field(page).fill(TOKEN);
      await field(page).press("Enter");
      await note(page, /^Nothing leaves this device/).waitFor();
      const [card] = await pick(page, "small.jpg");
      assert.ok(await card.locator("li").count() > 40);
      await card.getByRole("button", { name: "The call" }).click();
      assert.match(
        await card.locator(".panel pre").innerText(),
        /headers: \{ Authorization: `Bearer \$\{token\}` \}/,
      );
      await assertForgotten(page, urls);
      assert.deepEqual([...places].sort(), [
        "authorization of /v1/bundle",
        "authorization of /v1/model",
      ]);
    }, { expectedErrors: EXPECTED });
  },
});

Deno.test({
  name: "another tab is asked for the token again",
  ignore,
  async fn() {
    const context = await stage.browser.newContext();
    try {
      for (let tab = 0; tab < 2; tab++) {
        await stage.visit(async (page) => {
          await field(page).fill(TOKEN);
          await field(page).press("Enter");
          await page.locator("#model").waitFor();
        }, { context, expectedErrors: EXPECTED });
      }
    } finally {
      await context.close();
    }
  },
});
