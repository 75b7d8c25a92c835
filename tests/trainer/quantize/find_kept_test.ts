import assert from "node:assert/strict";
import { findKept } from "../../../trainer/quantize/find_kept.ts";

/** Searches where just `needed` is enough; counts the trials. */
async function search(count: number, needed: readonly number[]) {
  const ranked = Array.from({ length: count }, (_, i) => i);
  const trials: (readonly number[])[] = [];
  const kept = await findKept(ranked, (some) => {
    trials.push(some);
    return Promise.resolve(needed.every((one) => some.includes(one)));
  });
  return { kept, trials };
}

Deno.test("findKept() keeps nothing, after one trial, where nothing is needed", async () => {
  assert.deepEqual(await search(20, []), { kept: [], trials: [[]] });
});

Deno.test("findKept() finds just what is needed, wherever it stands in the ranking", async () => {
  for (const needed of [[0], [3], [19], [0, 1], [2, 11], [0, 9, 10, 17], [18, 19]]) {
    assert.deepEqual((await search(20, needed)).kept, needed);
  }
  const all = Array.from({ length: 20 }, (_, i) => i);
  assert.deepEqual((await search(20, all)).kept, all);
  assert.deepEqual((await search(1, [0])).kept, [0]);
});

Deno.test("findKept() takes few trials where the ranking is good", async () => {
  const { trials } = await search(1000, [0, 1, 2]);
  assert.ok(trials.length <= 10, `${trials.length}`);
  assert.ok(Math.max(...trials.map((some) => some.length)) <= 4);
});

Deno.test("findKept() gives up many that are not needed in few trials", async () => {
  const { kept, trials } = await search(64, [63]);
  assert.deepEqual(kept, [63]);
  assert.ok(trials.length <= 20, `${trials.length}`);
});

Deno.test("findKept() says so where all are not enough, and where there are none", async () => {
  assert.equal((await search(20, [20])).kept, undefined);
  assert.equal((await search(0, [0])).kept, undefined);
});
