/**
 * CLIP's real tokenizer, against an independent plain implementation (`tests/plain_clip_tokenizer.ts`).
 */

import assert from "node:assert/strict";
import { createTokenizer } from "../../edge/text/tokenizer.ts";
import { plainClipIds } from "../plain_clip_tokenizer.ts";

const CLIP = new URL("../../../shared/clip/", import.meta.url);

async function readJson(name: string): Promise<ReturnType<typeof JSON.parse> | undefined> {
  return await Deno.readTextFile(new URL(name, CLIP)).then(JSON.parse, () => undefined);
}

const tokenizer = await readJson("tokenizer.json");
const config = await readJson("tokenizer_config.json");
const ignore = !tokenizer || !config;
if (ignore) console.warn(`skipped: CLIP's tokenizer is not in ${CLIP.pathname}`);

const END = 49407;

const TEXTS = [
  "a photo of a cat",
  "",
  " ",
  "a photo that evokes cheerfullness",
  "A PHOTO OF A CAT",
  "  a   photo\tof\n a cat  ",
  "don't they've I'm we'll he'd it's you're",
  "ISN'T",
  "😀",
  "👩‍👩‍👧‍👦 family 🏳️‍🌈",
  "日本語の写真",
  "一张猫的照片",
  "사진 한 장",
  "Фотография кошки",
  "صورة قطة",
  "café naïve Ångström",
  "cafe\u0301",
  "&amp; &lt;b&gt; &quot;cat&quot;",
  "<b>bold</b>",
  "3.14159 and 1,000,000",
  "hello-world_foo/bar\\baz",
  "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
  "!!!???...---",
  "x\u00a0y\u2003z",
];

for (const text of TEXTS) {
  Deno.test({
    name: `createTokenizer() gives CLIP's ids of ${JSON.stringify(text)}`,
    ignore,
    fn() {
      const expected = plainClipIds(tokenizer, text);
      const { ids, mask } = createTokenizer({ tokenizer, config }, 77)(text);
      assert.equal(ids.length, 77);
      assert.deepEqual(ids.slice(0, expected.length), expected);
      assert.ok(ids.slice(expected.length).every((id) => id === END), "padded with the end token");
      assert.deepEqual(mask, ids.map((_, i) => i < expected.length ? 1 : 0));
    },
  });
}

Deno.test({
  name: "createTokenizer() gives the published ids of a photo of a cat",
  ignore,
  fn() {
    const { ids } = createTokenizer({ tokenizer, config }, 77)("a photo of a cat");
    assert.deepEqual(ids.slice(0, 7), [49406, 320, 1125, 539, 320, 2368, 49407]);
  },
});

Deno.test({
  name: "createTokenizer() cuts a long text and keeps the closing token",
  ignore,
  fn() {
    const text = "a very long caption of a photograph ".repeat(20);
    const expected = plainClipIds(tokenizer, text);
    assert.ok(expected.length > 77);
    const { ids, mask } = createTokenizer({ tokenizer, config }, 77)(text);
    assert.deepEqual(ids, [...expected.slice(0, 76), END]);
    assert.ok(mask.every((m) => m === 1));
  },
});

Deno.test({
  name: "createTokenizer() refuses a config without a padding token",
  ignore,
  fn() {
    const bare = { ...config, pad_token: undefined };
    assert.throws(() => createTokenizer({ tokenizer, config: bare }, 77), /pad_token/);
  },
});
