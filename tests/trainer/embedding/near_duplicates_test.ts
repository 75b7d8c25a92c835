import assert from "node:assert/strict";
import {
  findNearDuplicates,
  NEAR,
  type NearDuplicate,
} from "../../../trainer/embedding/near_duplicates.ts";
import { seededRandom } from "../../random.ts";

const random = seededRandom(12);

function drawHashes(count: number): BigUint64Array {
  return new BigUint64Array(random.bytes(count * 8).buffer);
}

/** A hash with so many other bits. */
function flip(hash: bigint, bits: number): bigint {
  const places = new Set<number>();
  while (places.size < bits) places.add(random.integer(0, 63));
  return [...places].reduce((flipped, place) => flipped ^ 1n << BigInt(place), hash);
}

function distance(a: bigint, b: bigint): number {
  return [...(a ^ b).toString(2)].filter((bit) => bit === "1").length;
}

/** Compares each with each. */
function bruteForce(train: BigUint64Array, test: BigUint64Array, most: number): NearDuplicate[] {
  return [...test].flatMap((b, j) =>
    [...train].flatMap((a, i) => {
      const bits = distance(a, b);
      return bits <= most ? [{ train: i, test: j, distance: bits }] : [];
    })
  );
}

/** Test hashes at every distance up to 17 from some training hash; some hashes occur twice. */
function plant(): { train: BigUint64Array; test: BigUint64Array } {
  const train = drawHashes(300);
  train[17] = train[5];
  const test = drawHashes(200);
  for (let j = 0; j < 180; j++) test[j] = flip(train[j], j % 18);
  return { train, test };
}

Deno.test("findNearDuplicates() finds what comparing each with each finds, within every distance", () => {
  const { train, test } = plant();
  const all = bruteForce(train, test, 16);
  for (let most = 0; most <= 16; most++) {
    const found = findNearDuplicates(train, test, most);
    assert.deepEqual(found, all.filter(({ distance }) => distance <= most), `within ${most}`);
    assert.ok(found.length >= 10 * (most + 1));
  }
});

Deno.test("findNearDuplicates() looks within six bits by default", () => {
  const { train, test } = plant();
  assert.equal(NEAR, 6);
  assert.deepEqual(findNearDuplicates(train, test), findNearDuplicates(train, test, 6));
});

Deno.test("findNearDuplicates() finds nothing in nothing", () => {
  const some = drawHashes(3);
  assert.deepEqual(findNearDuplicates(some, new BigUint64Array()), []);
  assert.deepEqual(findNearDuplicates(new BigUint64Array(), some), []);
});

Deno.test("findNearDuplicates() refuses a distance that is no whole number from 0 to 16", () => {
  for (const most of [-1, 17, 2.5, NaN]) {
    assert.throws(() => findNearDuplicates(drawHashes(1), drawHashes(1), most), RangeError);
  }
});

Deno.test("findNearDuplicates() goes through 40,000 and 10,000 hashes in less than two seconds", () => {
  const train = drawHashes(40_000);
  const test = drawHashes(10_000);
  for (let j = 0; j < 500; j++) test[j * 20] = flip(train[j * 80], j % (NEAR + 1));
  const start = performance.now();
  const found = findNearDuplicates(train, test);
  assert.ok(performance.now() - start < 2000);
  const planted = Array.from({ length: 500 }, (_, j) => ({
    train: j * 80,
    test: j * 20,
    distance: j % (NEAR + 1),
  }));
  for (const pair of planted) {
    assert.ok(
      found.some(({ train, test, distance }) =>
        train === pair.train && test === pair.test && distance === pair.distance
      ),
    );
  }
});
