import { sigmoid } from "@clip-e/shared";
import assert from "node:assert/strict";

Deno.test("sigmoid() is 1 / (1 + exp(-z))", () => {
  for (const z of [-12.5, -3, -0.1, 0, 0.1, 3, 12.5]) {
    assert.ok(Math.abs(sigmoid([z])[0] - 1 / (1 + Math.exp(-z))) < 1e-15, `at ${z}`);
  }
  assert.deepEqual([...sigmoid([])], []);
});

Deno.test("sigmoid() scores each logit by itself alone", () => {
  const [alone] = sigmoid([0.7]);
  assert.equal(sigmoid([0.7, 30, -30])[0], alone);
  assert.equal(sigmoid([-30, 5, 0.7])[2], alone);
});

Deno.test("sigmoid() stays finite, in 0..1 and rising on extreme logits", () => {
  const logits = [-Infinity, -1e308, -750, -700, -40, 40, 700, 750, 1e308, Infinity];
  const scores = [...sigmoid(logits)];
  assert.ok(scores.every((score) => score >= 0 && score <= 1), String(scores));
  assert.deepEqual(scores, [...scores].sort((a, b) => a - b));
  assert.ok(scores[3] > 0, "a small score is not lost");
  assert.deepEqual([scores[0], scores[9]], [0, 1]);
});
