import { softmax } from "@clip-e/shared";
import assert from "node:assert/strict";
import { seededRandom } from "../random.ts";

/** Asserts that two lists of numbers are equal but for rounding. */
function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(
      Math.abs(actual[i] - expected[i]) <= 1e-14,
      `[${i}] is ${actual[i]}, expected ${expected[i]}`,
    );
  }
}

Deno.test("softmax() gives exp(z / T) over its sum", () => {
  assertClose(softmax([0, Math.log(2), Math.log(5)]), [1 / 8, 2 / 8, 5 / 8]);
  const random = seededRandom(1);
  for (let round = 0; round < 50; round++) {
    const logits = random.floats(random.integer(1, 30)).map((z) => z * 20);
    const temperature = 0.1 + random.fraction() * 10;
    const powers = Array.from(logits, (z) => Math.exp(z / temperature));
    const sum = powers.reduce((a, b) => a + b, 0);
    assertClose(softmax(logits, temperature), powers.map((power) => power / sum));
  }
});

Deno.test("softmax() takes a temperature of 1 by default", () => {
  assert.deepEqual(softmax([1, 2, 4]), softmax([1, 2, 4], 1));
  assert.notDeepEqual(softmax([1, 2, 4]), softmax([1, 2, 4], 2));
});

Deno.test("softmax() does not change when every logit is shifted alike", () => {
  assertClose(softmax([1001, 1002, 1004]), softmax([1, 2, 4]));
  assertClose(softmax([-1001, -1000, -998]), softmax([1, 2, 4]));
});

Deno.test("softmax() stays finite and sums to 1 on extreme logits", () => {
  assertClose(softmax([1e308, -1e308]), [1, 0]);
  assertClose(softmax([1e308, 1e308]), [0.5, 0.5]);
  assertClose(softmax([-1e308, -1e308, -1e308, -1e308]), [0.25, 0.25, 0.25, 0.25]);
  assertClose(softmax([0, -Infinity]), [1, 0]);
  assertClose(softmax([750, 0]), [1, 0]);
});

Deno.test("softmax() goes to the largest logit as the temperature falls, and evens out as it rises", () => {
  assertClose(softmax([0.1, 0.3, 0.2], Number.MIN_VALUE), [0, 1, 0]);
  assertClose(softmax([0.1, 0.3, 0.2], 1e300), [1 / 3, 1 / 3, 1 / 3]);
});

Deno.test("softmax() of one logit is 1, of none is empty", () => {
  assert.deepEqual([...softmax([-3])], [1]);
  assert.deepEqual([...softmax([])], []);
});

Deno.test("softmax() refuses a temperature that is not above 0", () => {
  for (const temperature of [0, -0, -1, NaN, -Infinity]) {
    assert.throws(() => softmax([1, 2], temperature), {
      name: "RangeError",
      message: `Cannot take a softmax at temperature ${temperature}: it must be above 0`,
    });
  }
});
