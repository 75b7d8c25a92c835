import assert from "node:assert/strict";
import { mcnemar } from "../../../trainer/evaluation/mcnemar.ts";

function near(actual: number, expected: number, what: string): void {
  const distance = Math.abs(actual - expected) / expected;
  assert.ok(distance < 1e-9, `${what}: ${actual} is not ${expected}`);
}

/** P of a split as uneven as this, by the rows of Pascal's triangle in whole numbers. */
function plainP(a: number, b: number): number {
  const n = a + b;
  let row = [1n];
  for (let i = 0; i < n; i++) row = [1n, ...row.slice(1).map((c, k) => c + row[k]), 1n];
  let tail = 0n;
  for (let k = 0; k <= Math.min(a, b); k++) tail += row[k];
  const scale = 10n ** 20n; // whole numbers, so that nothing overflows or is lost
  return Math.min(1, Number(2n * tail * scale / (1n << BigInt(n))) / 1e20);
}

Deno.test("mcnemar() gives p of splits by hand", () => {
  near(mcnemar(0, 5), 2 / 32, "0 and 5");
  near(mcnemar(1, 5), 2 * 7 / 64, "1 and 5");
  near(mcnemar(2, 10), 2 * (1 + 12 + 66) / 4096, "2 and 10");
});

Deno.test("mcnemar() of an even split, or of none, is 1", () => {
  for (const n of [0, 1, 7, 26_000]) assert.equal(mcnemar(n, n), 1);
  assert.equal(mcnemar(3, 4), 1);
});

Deno.test("mcnemar() agrees with whole-number arithmetic, whichever method is first", () => {
  for (const [a, b] of [[0, 1], [3, 9], [40, 60], [150, 190], [251, 249], [100, 180]]) {
    near(mcnemar(a, b), plainP(a, b), `${a} and ${b}`);
    assert.equal(mcnemar(a, b), mcnemar(b, a));
  }
});

Deno.test("mcnemar() of many pictures comes to the normal distribution's p", () => {
  // With the continuity correction, z is (|b - c| - 1) / sqrt(b + c): 1.959, whose two-sided p is 0.050113.
  const p = mcnemar(499_020, 500_980);
  assert.ok(Math.abs(p - 0.050113) < 2e-6, `${p}`);
});

Deno.test("mcnemar() of a split that chance never gives is 0, not NaN", () => {
  assert.equal(mcnemar(0, 53_000), 0);
  assert.equal(mcnemar(10_000, 43_000), 0);
  assert.ok(mcnemar(0, 1000) > 0);
});

Deno.test("mcnemar() refuses what is no number of pictures", () => {
  for (const count of [-1, 0.5, NaN, Infinity]) {
    assert.throws(() => mcnemar(3, count), {
      name: "RangeError",
      message: `Cannot compare methods: ${count} is not a number of pictures`,
    });
  }
});
