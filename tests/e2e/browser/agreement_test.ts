/**
 * The server and the visitor's browser say the same of the same picture, however it came to the page.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ModelInfo } from "../../../edge/model_info.ts";
import { readPicture } from "../../golden_file.ts";
import { type ClassifyAnswer, scoresByLabel } from "../classify_over_http.ts";
import { bring, chooseBrowser, pick, pickable, type PickedFile, readJson } from "./page_use.ts";
import { ignore, setStage } from "./page_stage.ts";

/** A real photograph lies in a folder `shared` beside the checkout; without it a drawn one has to do. */
const PHOTOGRAPH = new URL("../../../../shared/data/oasis/images/dog-6.jpg", import.meta.url);

const stage = setStage({ servers: [{ embedded: true }, {}] });

async function photograph(name: string): Promise<PickedFile> {
  const bytes = await Deno.readFile(PHOTOGRAPH).catch(() => readPicture("storm.jpg"));
  return { name, mimeType: "image/jpeg", buffer: Buffer.from(bytes) };
}

/** WebAssembly rounds alike everywhere, but for the last bits of single precision. */
function assertAgree(browser: ClassifyAnswer, server: ClassifyAnswer): void {
  assert.deepEqual(browser.model, server.model);
  assert.deepEqual(browser.image, server.image);
  const rest = (answer: ClassifyAnswer) => answer.predictions.map(({ scores: _, ...rest }) => rest);
  assert.deepEqual(rest(browser), rest(server));
  for (const [i, { scores }] of browser.predictions.entries()) {
    assert.deepEqual(
      scores.map(({ label }) => label),
      server.predictions[i].scores.map(({ label }) => label),
    );
    const expected = scoresByLabel(server.predictions[i].scores);
    for (const { label, score } of scores) {
      const difference = Math.abs(score - (expected.get(label) ?? NaN));
      assert.ok(difference <= 1e-5, `${label}: ${score}, off by ${difference}`);
    }
  }
}

for (const [place, name] of [[0, "the embedded bundle"], [1, "every method"]] as const) {
  Deno.test({
    name:
      `server and browser agree with ${name}: a photograph picked, dropped and pasted, all formats`,
    ignore,
    async fn() {
      const { url } = stage.servers[place];
      const { taxonomies }: ModelInfo = await (await fetch(`${url}/v1/model`)).json();
      const methods = taxonomies.flatMap(({ methods }) => methods.filter((one) => one.available));
      await stage.visit(async (page) => {
        const compare = page.getByRole("checkbox", { name: "Compare methods" });
        if (await compare.isVisible()) await compare.check();
        const drawn = ["lossless_alpha.webp", "interlaced.png", "exif_6.jpg"];
        const answers = async () => {
          const files = await Promise.all(drawn.map(pickable));
          const cards = await pick(page, await photograph("picked.jpg"), ...files);
          cards.push(await bring(page, "drop", await photograph("dropped.jpg")));
          cards.push(await bring(page, "paste", await photograph("pasted.jpg")));
          const found: ClassifyAnswer[] = [];
          for (const card of cards) found.push(await readJson(card));
          assert.equal(await page.locator("#count").innerText(), "6 pictures");
          await page.getByRole("button", { name: "Clear" }).click();
          return found;
        };
        const byServer = await answers();
        await chooseBrowser(page);
        const byBrowser = await answers();
        assert.equal(byBrowser.length, 6);
        for (const [i, answer] of byBrowser.entries()) {
          assert.equal(answer.predictions.length, methods.length);
          assertAgree(answer, byServer[i]);
        }
        const [picked, , , , dropped, pasted] = byBrowser;
        assert.deepEqual(dropped, picked);
        assert.deepEqual(pasted, picked);
      }, { origin: url });
    },
  });
}
