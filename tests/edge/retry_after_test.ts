import assert from "node:assert/strict";
import { readRetryAfter } from "../../edge/http/retry_after.ts";

function read(value?: string): number | undefined {
  return readRetryAfter(
    new Response("", value === undefined ? {} : { headers: { "Retry-After": value } }),
  );
}

Deno.test("readRetryAfter() reads seconds and dates, as milliseconds from now", () => {
  assert.equal(read("0"), 0);
  assert.equal(read("120"), 120_000);
  const wait = read(new Date(Date.now() + 60_000).toUTCString()) ?? NaN;
  assert.ok(wait > 50_000 && wait <= 60_000, String(wait));
  assert.equal(read("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
});

Deno.test("readRetryAfter() gives nothing for what it cannot read", () => {
  for (const value of [undefined, "", "soon", "1.5 h"]) {
    assert.equal(read(value), undefined, String(value));
  }
});
