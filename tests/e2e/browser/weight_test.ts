/**
 * The page is small: it shall be there at once, on a phone too.
 */

import assert from "node:assert/strict";

const PAGE = new URL("../../../edge/page/", import.meta.url);
const LIMIT = 60_000;

Deno.test(`the page's own HTML, styles and scripts come to less than ${LIMIT / 1000} KB, packed`, async () => {
  let sum = 0;
  for await (const { name } of Deno.readDir(PAGE)) {
    if (!/\.(html|css|js|svg)$/.test(name)) continue;
    const file = await Deno.open(new URL(name, PAGE));
    const packed = file.readable.pipeThrough(new CompressionStream("gzip"));
    for await (const { length } of packed) sum += length;
  }
  assert.ok(sum > 10_000 && sum < LIMIT, `${sum} bytes`);
});
