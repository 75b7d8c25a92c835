/**
 * The parts of the page that need no page.
 */

import assert from "node:assert/strict";
import { sumDownload } from "../../../edge/page/download_sum.js";
import { megabytes, milliseconds, percent } from "../../../edge/page/formats.js";
import { createLanes } from "../../../edge/page/lanes.js";
import { Problem, problemOf } from "../../../edge/page/problem.js";
import { countDown, retryAsAsked } from "../../../edge/page/retry_after.js";

Deno.test("sumDownload() counts the first of the alternatives until another begins", () => {
  const lengths = {
    "small.wasm": { bytes: 100 },
    "large.wasm": { bytes: 300 },
    "head": { bytes: 10 },
    "never": { bytes: 1000 },
  };
  const add = sumDownload(lengths, [["small.wasm", "large.wasm"]], ["head"]);
  assert.deepEqual(add(), { bytes: 0, total: 110, isCached: false });
  const head = { path: "head", bytes: 10, total: 10, isCached: true };
  assert.deepEqual(add(head), { bytes: 10, total: 110, isCached: true });
  const large = { path: "large.wasm", bytes: 60, isCached: false };
  assert.deepEqual(add(large), { bytes: 70, total: 310, isCached: false });
  assert.deepEqual(add({ ...large, bytes: 300 }), { bytes: 310, total: 310, isCached: false });
});

Deno.test("sumDownload() takes a file that nobody announced as long as it says, or has become", () => {
  const add = sumDownload({}, [], []);
  assert.equal(add({ path: "a", bytes: 5, total: 20, isCached: false }).total, 20);
  assert.deepEqual(
    add({ path: "b", bytes: 7, isCached: false }),
    { bytes: 12, total: 27, isCached: false },
  );
});

Deno.test("createLanes() runs so many at once, the others in turn, also after a failure", async () => {
  const lanes = createLanes(2);
  const started: number[] = [];
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const results = gates.map(({ promise }, i) =>
    lanes(() => {
      started.push(i);
      return promise;
    })
  );
  assert.deepEqual(started, [0, 1]);
  gates[1].reject(new Error("broken"));
  await assert.rejects(results[1], /broken/);
  gates[2].resolve();
  await results[2];
  assert.deepEqual(started, [0, 1, 2, 3]);
  gates[0].resolve();
  gates[3].resolve();
  await Promise.all([results[0], results[3]]);
});

Deno.test("retryAsAsked() tries again after the wait that is asked for, five times in all", async () => {
  const waits: number[] = [];
  let attempts = 0;
  const busy = new Problem("Busy.", { status: 503, retryAfter: 0 });
  const wait = (_: Problem, seconds: number) => {
    waits.push(seconds);
    return Promise.resolve();
  };
  const found = await retryAsAsked(wait, () => {
    attempts++;
    return attempts < 3 ? Promise.reject(busy) : Promise.resolve("here");
  });
  assert.equal(found, "here");
  assert.deepEqual(waits, [1, 1]);
  attempts = -Infinity;
  waits.length = 0;
  await assert.rejects(retryAsAsked(wait, () => Promise.reject(busy)), busy);
  assert.equal(waits.length, 4);
});

Deno.test("retryAsAsked() leaves other problems alone", async () => {
  const problem = new Problem("No.", { status: 422 });
  const never = () => assert.fail("It waited");
  await assert.rejects(retryAsAsked(never, () => Promise.reject(problem)), problem);
});

Deno.test("countDown() counts, is hurried, and gives up when it is told to", async () => {
  const seen: number[] = [];
  const { done, hurry } = countDown(30, new AbortController().signal, (left) => seen.push(left));
  assert.deepEqual(seen, [30]);
  hurry();
  await done;
  const abort = new AbortController();
  const other = countDown(30, abort.signal, () => {});
  abort.abort(new Error("cleared"));
  await assert.rejects(other.done, /cleared/);
});

Deno.test("problemOf() reads problem details and Retry-After, as seconds and as a date", () => {
  const answer = (retryAfter: string) =>
    new Response(null, { status: 429, headers: { "Retry-After": retryAfter } });
  const problem = problemOf(answer("7"), { detail: "Wait.", code: "rate-limited" });
  assert.equal(problem.message, "Wait.");
  assert.equal(problem.code, "rate-limited");
  assert.equal(problem.retryAfter, 7);
  assert.ok(problem.mayPass);
  const date = new Date(Date.now() + 90_000).toUTCString();
  const { retryAfter = NaN } = problemOf(answer(date), {});
  assert.ok(retryAfter > 85 && retryAfter <= 90, `${retryAfter}`);
  assert.equal(problemOf(answer("soon"), {}).retryAfter, undefined);
  assert.equal(problemOf(new Response(null, { status: 422 }), {}).mayPass, false);
});

Deno.test("percent(), milliseconds() and megabytes() write numbers as people read them", () => {
  assert.deepEqual([0, 0.0004, 0.0123, 0.0996, 0.67, 1].map(percent), [
    "0%",
    "<0.1%",
    "1.2%",
    "10%",
    "67%",
    "100%",
  ]);
  assert.deepEqual([1.44, 35.4].map(milliseconds), ["1.4 ms", "35 ms"]);
  assert.equal(megabytes(14_100_000), "14.1 MB");
});
