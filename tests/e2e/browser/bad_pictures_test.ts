/**
 * What cannot be used is refused in the same words here and there.
 */

import assert from "node:assert/strict";
import { readPicture } from "../../golden_file.ts";
import { chooseBrowser, pick } from "./page_use.ts";
import { ignore, setStage } from "./page_stage.ts";

const stage = setStage();
/** What the page itself refuses. */
const OWN = ["bad/notes.txt", "bad/empty.jpg"];
const BAD = new URL("../../../fixtures/pictures/bad/", import.meta.url);

Deno.test({
  name: "a bad picture gets the same message from the server and from this browser",
  ignore,
  async fn() {
    const names = await Array.fromAsync(Deno.readDir(BAD), ({ name }) => `bad/${name}`);
    assert.ok(names.length > 15);
    await stage.visit(async (page) => {
      const messages = async () => {
        await pick(page, ...names);
        const found: [string, string, string][] = await page.evaluate(`
          [...document.querySelectorAll("article")].map((card) => [
            card.ariaLabel,
            card.querySelector(".error").innerText,
            card.querySelector(".quiet")?.innerText ?? "",
          ])
        `);
        assert.deepEqual(found.map(([name]) => name), names);
        assert.equal(await page.getByRole("button", { name: "Try again" }).count(), 0);
        await page.getByRole("button", { name: "Clear" }).click();
        return found;
      };
      const byServer = await messages();
      for (const [name, message] of byServer) {
        if (OWN.includes(name)) continue;
        const body = await readPicture(name);
        const answer = await fetch(`${stage.url}/v1/classify`, { method: "POST", body });
        assert.equal(message, (await answer.json()).detail);
      }
      await chooseBrowser(page);
      const withoutStatus = (code: string) => code.replace(/^4\d\d · /, "");
      const expected = byServer.map(([name, what, code]) => [name, what, withoutStatus(code)]);
      assert.deepEqual(await messages(), expected);
    }, { expectedErrors: [/^Failed to load resource: .* 4(00|13|15|22) /] });
  },
});
