import assert from "node:assert/strict";
import { Random } from "../../trainer/random.ts";

/** sfc32 by its definition, in whole numbers modulo 2^32. */
function* sfc32(seed: bigint): Generator<number> {
  const word = (n: bigint) => BigInt.asUintN(32, n);
  let [a, b, c, counter] = [word(seed), word(seed >> 32n), 0n, 1n];
  for (let drawn = 0;; drawn++) {
    const sum = word(a + b + counter);
    counter = word(counter + 1n);
    a = b ^ (b >> 9n);
    b = word(c + (c << 3n));
    c = word(word((c << 21n) | (c >> 11n)) + sum);
    if (drawn >= 15) yield Number(sum) / 2 ** 32;
  }
}

const SEEDS = [0, 1, -1, 42, 2 ** 32, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];

Deno.test("Random draws the numbers of sfc32", () => {
  for (const seed of SEEDS) {
    const random = new Random(seed);
    const expected = sfc32(BigInt(seed)).take(200).toArray();
    assert.deepEqual(expected.map(() => random.next()), expected, `seed ${seed}`);
  }
});

Deno.test("Random draws other numbers for every seed, neighbours too", () => {
  const starts = new Set(
    [...SEEDS, ...Array.from({ length: 1000 }, (_, i) => i + 2)].map((seed) =>
      new Random(seed).next()
    ),
  );
  assert.equal(starts.size, SEEDS.length + 1000 - 1); // 42 is named twice
});

Deno.test("Random refuses a seed that is no safe integer", () => {
  for (const seed of [0.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => new Random(seed), (error) => {
      return error instanceof RangeError && error.message.includes(`${seed}: give a whole number`);
    });
  }
});

Deno.test("Random.next() is uniform over [0, 1)", () => {
  const random = new Random(3);
  const bins = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) bins[Math.floor(random.next() * 10)]++;
  assert.equal(bins.length, 10);
  // Four standard deviations of a bin's count are 380.
  for (const [i, count] of bins.entries()) assert.ok(Math.abs(count - 10_000) < 380, `${i}`);
});

Deno.test("Random.normal() has the moments of the normal distribution", () => {
  const random = new Random(4);
  const draws = Array.from({ length: 100_000 }, () => random.normal());
  const moment = (power: number) => draws.reduce((sum, x) => sum + x ** power, 0) / draws.length;
  // Limits of four standard errors.
  for (
    const [power, expected, limit] of [[1, 0, 0.013], [2, 1, 0.018], [3, 0, 0.05], [4, 3, 0.13]]
  ) {
    const actual = moment(power);
    assert.ok(Math.abs(actual - expected) < limit, `moment ${power} is ${actual}`);
  }
  const successive = draws.reduce((sum, x, i) => sum + x * (draws[i + 1] ?? 0), 0) / draws.length;
  assert.ok(Math.abs(successive) < 0.013, `draws that follow each other correlate: ${successive}`);
});

Deno.test("Random.shuffled() gives a permutation and leaves its items as they are", () => {
  const random = new Random(5);
  for (const length of [0, 1, 2, 7, 1000]) {
    const items = Array.from({ length }, (_, i) => i);
    const shuffled = random.shuffled(items);
    assert.deepEqual(items, [...items.keys()]);
    if (length > 100) assert.notDeepEqual(shuffled, items);
    assert.deepEqual(shuffled.sort((a, b) => a - b), items);
  }
});

Deno.test("Random.shuffled() gives each order as often as any other", () => {
  const random = new Random(6);
  const orders = new Map<string, number>();
  for (let i = 0; i < 24_000; i++) {
    const order = random.shuffled("abcd").join("");
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 24);
  // Four standard deviations of an order's count are 124.
  for (const [order, count] of orders) assert.ok(Math.abs(count - 1000) < 124, `${order} ${count}`);
});

Deno.test("Random.restore() goes on where another generator was, a spare normal number included", () => {
  for (const draws of [0, 1, 2]) {
    const random = new Random(7);
    for (let i = 0; i < draws; i++) random.normal();
    const copy = Random.restore(JSON.parse(JSON.stringify(random.state)));
    const next = (from: Random) => [from.normal(), from.next(), ...from.shuffled([1, 2, 3, 4])];
    assert.deepEqual(next(copy), next(random));
  }
});
