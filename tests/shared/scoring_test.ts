import { scoreLogits, softmax } from "@clip-e/shared";
import assert from "node:assert/strict";

const COSINES = [0.11, 0.09, -0.02];

Deno.test("scoreLogits() takes a softmax at the temperature by default", () => {
  assert.deepEqual(scoreLogits(COSINES, { temperature: 0.01 }), softmax(COSINES, 0.01));
});

Deno.test("scoreLogits() by sigmoid scales by the temperature, then adds the bias", () => {
  const scale = 117.33;
  const bias = -12.93;
  const scores = scoreLogits(COSINES, { temperature: 1 / scale, normalization: "sigmoid", bias });
  COSINES.forEach((cosine, k) => {
    const expected = 1 / (1 + Math.exp(-(scale * cosine + bias)));
    assert.ok(Math.abs(scores[k] - expected) < 1e-14, `[${k}] is ${scores[k]}, not ${expected}`);
  });
  const unbiased = scoreLogits([0], { temperature: 1, normalization: "sigmoid" });
  assert.equal(unbiased[0], 0.5);
});

Deno.test("scoreLogits() by sigmoid gives a label the same score whatever else is asked", () => {
  const scoring = { temperature: 0.1, normalization: "sigmoid", bias: -1 } as const;
  const [alone] = scoreLogits([0.3], scoring);
  assert.equal(scoreLogits([0.9, 0.3, 0.3], scoring)[1], alone);
  const sum = scoreLogits([0.9, 0.8, 0.7], scoring).reduce((a, b) => a + b);
  assert.ok(sum > 2, `all may be likely at once: ${sum}`);
});

Deno.test("scoreLogits() refuses a temperature that is not above 0, either way", () => {
  for (const normalization of ["softmax", "sigmoid"] as const) {
    for (const temperature of [0, -1, NaN]) {
      assert.throws(() => scoreLogits([1, 2], { temperature, normalization }), RangeError);
    }
  }
});
