import { type CrossEntropyHead, crossEntropyLogits } from "@clip-e/shared";
import assert from "node:assert/strict";
import { averageHeads } from "../../../trainer/fit/average_heads.ts";

function head(seed: number, hidden: number, labels = 3): CrossEntropyHead {
  const numbers = (count: number, shift: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(seed * 17 + i * 1.7 + shift));
  return {
    kind: "cross-entropy",
    img_fc1: { inputs: 5, units: hidden, kernel: numbers(5 * hidden, 1), bias: numbers(hidden, 2) },
    preds: {
      inputs: hidden,
      units: labels,
      kernel: numbers(hidden * labels, 3),
      bias: numbers(labels, 4),
    },
  };
}

Deno.test("averageHeads() answers with the mean of the heads' logits", () => {
  const heads = [head(1, 4), head(2, 7), head(3, 2)];
  const one = averageHeads(heads);
  assert.equal(one.img_fc1.units, 13);
  for (let n = 0; n < 20; n++) {
    const x = Float32Array.from({ length: 5 }, (_, i) => Math.cos(n * 3 + i));
    const logits = crossEntropyLogits(one, x);
    for (let k = 0; k < 3; k++) {
      const mean = heads.reduce((sum, h) => sum + crossEntropyLogits(h, x)[k], 0) / heads.length;
      assert.ok(Math.abs(logits[k] - mean) < 1e-6, `${logits[k]} is not ${mean}`);
    }
  }
});

Deno.test("averageHeads() leaves a single head as it is", () => {
  assert.deepEqual(averageHeads([head(1, 4)]), head(1, 4));
});

Deno.test("averageHeads() refuses heads that do not fit together", () => {
  assert.throws(() => averageHeads([]), /there is none/);
  assert.throws(() => averageHeads([head(1, 4, 3), head(2, 4, 2)]), /inputs or labels/);
});
