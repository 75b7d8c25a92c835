/** Heads that are not quite the published ones: their forward passes against the formulas, written plainly. */

import {
  type ContrastiveHead,
  contrastiveLogits,
  type CrossEntropyHead,
  crossEntropyLogits,
  type Dense,
  groupLogits,
  labelCount,
  type Prompts,
  softmax,
  unitVector,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../random.ts";

function randomDense(random: Random, inputs: number, units: number): Dense {
  return { inputs, units, kernel: random.floats(inputs * units), bias: random.floats(units) };
}

function dense({ inputs, units, kernel, bias }: Dense, x: readonly number[]): number[] {
  return Array.from({ length: units }, (_, j) => {
    let sum = bias[j];
    for (let i = 0; i < inputs; i++) sum += x[i] * kernel[i * units + j];
    return sum;
  });
}

const relu = (x: readonly number[]) => x.map((v) => Math.max(v, 0));
const norm = (x: readonly number[]) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
const unit = (x: readonly number[]) => x.map((v) => v / norm(x));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, v, i) => s + v * b[i], 0);

function assertClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const distance = Math.abs(actual[i] - value);
    assert.ok(distance <= 1e-10, `[${i}] is ${actual[i]}, expected ${value}`);
  });
}

function crossEntropy(random: Random, units: number): CrossEntropyHead {
  const [img_fc1, preds] = [randomDense(random, 12, 9), randomDense(random, 9, units)];
  return { kind: "cross-entropy", img_fc1, preds };
}

function contrastive(random: Random): ContrastiveHead {
  const [img_fc1, img_fc2] = [randomDense(random, 12, 9), randomDense(random, 9, 12)];
  return { kind: "contrastive", img_fc1, img_fc2 };
}

function randomPrompts(random: Random, count: number): { prompts: Prompts; rows: number[][] } {
  const vectors = Float32Array.from(
    Array.from({ length: count }, () => unit([...random.floats(12)])).flat(),
  );
  const rows = Array.from({ length: count }, (_, k) => [...vectors.slice(12 * k, 12 * k + 12)]);
  return { prompts: { count, size: 12, vectors }, rows };
}

Deno.test("unitVector() divides by the length, and leaves zeros as they are", () => {
  assertClose(unitVector([3, -4]), [0.6, -0.8]);
  assert.deepEqual([...unitVector([0, 0])], [0, 0]);
  assert.equal(unitVector([]).length, 0);
});

Deno.test("both heads of unit input take the embedding divided by its length", () => {
  const random = seededRandom(1);
  const [plain, projecting] = [crossEntropy(random, 6), contrastive(random)];
  const { prompts, rows } = randomPrompts(random, 6);
  const x = [...random.floats(12)].map((v) => v * 10);
  const hidden = relu(dense(plain.img_fc1, unit(x)));
  assertClose(crossEntropyLogits({ ...plain, input: "unit" }, x), dense(plain.preds, hidden));
  assert.notDeepEqual(
    crossEntropyLogits({ ...plain, input: "unit" }, x),
    crossEntropyLogits(plain, x),
  );

  const projected = dense(projecting.img_fc2, relu(dense(projecting.img_fc1, unit(x))));
  assertClose(
    contrastiveLogits({ ...projecting, input: "unit" }, x, prompts),
    rows.map((row) => dot(row, unit(projected))),
  );
});

Deno.test("both heads of raw input answer as heads that do not say", () => {
  const random = seededRandom(2);
  const [plain, projecting] = [crossEntropy(random, 6), contrastive(random)];
  const { prompts } = randomPrompts(random, 3);
  const x = random.floats(12);
  assert.deepEqual(crossEntropyLogits({ ...plain, input: "raw" }, x), crossEntropyLogits(plain, x));
  assert.deepEqual(
    contrastiveLogits({ ...projecting, input: "raw" }, x, prompts),
    contrastiveLogits(projecting, x, prompts),
  );
});

Deno.test("crossEntropyLogits() with groups: scores at temperature 1 are sums of the fine ones", () => {
  const random = seededRandom(3);
  const head = crossEntropy(random, 7);
  const groups = Int32Array.of(2, 0, 1, 0, 2, 2, 1);
  for (let round = 0; round < 20; round++) {
    const x = random.floats(12);
    const fine = softmax(crossEntropyLogits(head, x));
    const expected = [0, 1, 2].map((g) => fine.reduce((s, p, k) => groups[k] === g ? s + p : s, 0));
    assertClose(softmax(crossEntropyLogits({ ...head, groups }, x)), expected);
  }
});

Deno.test("crossEntropyLogits() with groups shares out the scores of fine labels that are left out", () => {
  const random = seededRandom(4);
  const head = crossEntropy(random, 4);
  const x = random.floats(12);
  const fine = softmax(crossEntropyLogits(head, x));
  const kept = fine[0] + fine[1] + fine[3];
  const grouped = softmax(crossEntropyLogits({ ...head, groups: Int32Array.of(1, 0, -1, 1) }, x));
  assertClose(grouped, [fine[1] / kept, (fine[0] + fine[3]) / kept]);
});

Deno.test("crossEntropyLogits() groups the two labels of a single unit", () => {
  const random = seededRandom(5);
  const head = crossEntropy(random, 1);
  const x = random.floats(12);
  const [, z] = crossEntropyLogits(head, x);
  assertClose(crossEntropyLogits({ ...head, groups: Int32Array.of(1, 0) }, x), [z, 0]);
});

Deno.test("groupLogits() is the log-sum-exp of each group, for logits of any size", () => {
  assertClose(groupLogits([0, Math.log(3), 5], Int32Array.of(0, 0, 1)), [Math.log(4), 5]);
  const far = groupLogits([1000, 1000, -1000, -1001], Int32Array.of(0, 0, 1, 1));
  assertClose(far, [1000 + Math.log(2), -1000 + Math.log(1 + Math.exp(-1))]);
  assert.throws(() => groupLogits([1, 2, 3], Int32Array.of(0, 1)), {
    name: "RangeError",
    message: "Cannot group 3 logits by 2 groups",
  });
});

Deno.test("a temperature divides grouped logits, which is not the same as dividing the fine ones", () => {
  const groups = Int32Array.of(0, 0, 1);
  const fine = [2, 1, 0.5];
  const after = softmax(groupLogits(fine, groups), 2);
  const before = softmax(groupLogits(fine.map((z) => z / 2), groups));
  const grouped = Math.log(Math.exp(2) + Math.exp(1));
  assertClose(after, [
    1 / (1 + Math.exp((0.5 - grouped) / 2)),
    1 / (1 + Math.exp((grouped - 0.5) / 2)),
  ]);
  assert.ok(Math.abs(after[0] - before[0]) > 0.01);
});

Deno.test("labelCount() counts a head's answers: units, two for one unit, or groups", () => {
  const random = seededRandom(6);
  assert.equal(labelCount(crossEntropy(random, 25)), 25);
  assert.equal(labelCount(crossEntropy(random, 1)), 2);
  assert.equal(labelCount({ ...crossEntropy(random, 4), groups: Int32Array.of(1, -1, 0, 2) }), 3);
});

Deno.test("contrastiveLogits() with a blend mixes the directions of projection and embedding", () => {
  const random = seededRandom(7);
  const head = contrastive(random);
  const { prompts, rows } = randomPrompts(random, 8);
  for (const input of ["raw", "unit"] as const) {
    for (const blend of [0, 0.2, 0.5, 1]) {
      const x = [...random.floats(12)].map((v) => v * 9);
      const given = input === "unit" ? unit(x) : x;
      const a = unit(dense(head.img_fc2, relu(dense(head.img_fc1, given))));
      const u = unit(x);
      const y = unit(a.map((v, i) => blend * v + (1 - blend) * u[i]));
      const logits = contrastiveLogits({ ...head, input, blend }, x, prompts);
      assertClose(logits, rows.map((row) => dot(row, y)));
    }
  }
});

Deno.test("contrastiveLogits() refuses to blend a projection of another size than the embedding", () => {
  const random = seededRandom(8);
  const head = { ...contrastive(random), img_fc2: randomDense(random, 9, 5), blend: 0.5 };
  const prompts = { count: 1, size: 5, vectors: Float32Array.of(1, 0, 0, 0, 0) };
  assert.throws(() => contrastiveLogits(head, random.floats(12), prompts), {
    name: "RangeError",
    message: "Cannot blend a projection of 5 numbers with an embedding of 12",
  });
});
