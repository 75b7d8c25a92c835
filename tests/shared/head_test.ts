import {
  applyDense,
  type ContrastiveHead,
  contrastiveLogits,
  type CrossEntropyHead,
  crossEntropyLogits,
  type Dense,
  type Prompts,
  softmax,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../random.ts";

function randomDense(random: Random, inputs: number, units: number): Dense {
  return { inputs, units, kernel: random.floats(inputs * units), bias: random.floats(units) };
}

/** The layer written as its definition is: each output the sum over its column, plus its bias. */
function dense({ inputs, units, kernel, bias }: Dense, x: readonly number[]): number[] {
  return Array.from({ length: units }, (_, j) => {
    let sum = bias[j];
    for (let i = 0; i < inputs; i++) sum += x[i] * kernel[i * units + j];
    return sum;
  });
}

const relu = (x: readonly number[]) => x.map((v) => Math.max(v, 0));

function assertClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const distance = Math.abs(actual[i] - value);
    assert.ok(distance <= 1e-10, `[${i}] is ${actual[i]}, expected ${value}`);
  });
}

Deno.test("applyDense() is x · kernel + bias, with the kernel as [inputs, units]", () => {
  const layer = {
    inputs: 2,
    units: 3,
    kernel: Float32Array.of(1, 2, 3, 10, 20, 30),
    bias: Float32Array.of(0.5, 0, -0.5),
  };
  assert.deepEqual([...applyDense(layer, [1, 0])], [1.5, 2, 2.5]);
  assert.deepEqual([...applyDense(layer, [0, 1])], [10.5, 20, 29.5]);
  assert.deepEqual([...applyDense(layer, [2, -1])], [-7.5, -16, -24.5]);
});

Deno.test("applyDense() leaves the layer's bias and its input as they were", () => {
  const layer = randomDense(seededRandom(1), 3, 2);
  const [bias, x] = [[...layer.bias], [1, 2, 3]];
  applyDense(layer, x);
  assert.deepEqual([...layer.bias], bias);
  assert.deepEqual(x, [1, 2, 3]);
});

Deno.test("applyDense() sums in double precision", () => {
  const inputs = 4097;
  const kernel = new Float32Array(inputs).fill(2 ** -30);
  kernel[0] = 1;
  const layer = { inputs, units: 1, kernel, bias: Float32Array.of(0) };
  // In 32-bit floats each of the small terms would be lost beside the 1.
  assert.equal(applyDense(layer, new Float32Array(inputs).fill(1))[0], 1 + 4096 * 2 ** -30);
});

Deno.test("applyDense() refuses an input of another length", () => {
  const layer = randomDense(seededRandom(1), 3, 2);
  for (const length of [2, 4]) {
    assert.throws(() => applyDense(layer, new Float32Array(length)), {
      name: "RangeError",
      message: `Cannot apply a dense layer: it takes 3 numbers, got ${length}`,
    });
  }
});

Deno.test("crossEntropyLogits() is preds(relu(img_fc1(x))) on the embedding as it comes", () => {
  const random = seededRandom(2);
  for (const units of [2, 6, 25]) {
    const head: CrossEntropyHead = {
      kind: "cross-entropy",
      img_fc1: randomDense(random, 32, 16),
      preds: randomDense(random, 16, units),
    };
    const embedding = [...random.floats(32)].map((v) => v * 7);
    assertClose(
      crossEntropyLogits(head, embedding),
      dense(head.preds, relu(dense(head.img_fc1, embedding))),
    );
  }
});

Deno.test("crossEntropyLogits() of a single unit are [0, z], whose softmax is [1 - sigmoid, sigmoid]", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 20; round++) {
    const head: CrossEntropyHead = {
      kind: "cross-entropy",
      img_fc1: randomDense(random, 8, 8),
      preds: randomDense(random, 8, 1),
    };
    const embedding = [...random.floats(8)].map((v) => v * 4);
    const [z] = dense(head.preds, relu(dense(head.img_fc1, embedding)));
    const logits = crossEntropyLogits(head, embedding);
    assertClose(logits, [0, z]);
    const positive = 1 / (1 + Math.exp(-z));
    assertClose(softmax(logits), [1 - positive, positive]);
  }
});

Deno.test("crossEntropyLogits() cuts off negative hidden values", () => {
  const head: CrossEntropyHead = {
    kind: "cross-entropy",
    img_fc1: {
      inputs: 1,
      units: 2,
      kernel: Float32Array.of(1, -1),
      bias: Float32Array.of(0, 0),
    },
    preds: {
      inputs: 2,
      units: 2,
      kernel: Float32Array.of(1, 0, 0, 1),
      bias: Float32Array.of(0, 0),
    },
  };
  assert.deepEqual([...crossEntropyLogits(head, [3])], [3, 0]);
  assert.deepEqual([...crossEntropyLogits(head, [-3])], [0, 3]);
});

/** A contrastive head with as many prompts as asked for. */
function contrastive(random: Random, count: number): { head: ContrastiveHead; prompts: Prompts } {
  const head: ContrastiveHead = {
    kind: "contrastive",
    img_fc1: randomDense(random, 24, 16),
    img_fc2: randomDense(random, 16, 12),
  };
  const vectors = new Float32Array(count * 12);
  for (let k = 0; k < count; k++) {
    const vector = random.floats(12);
    const norm = Math.hypot(...vector);
    vectors.set(vector.map((v) => v / norm), k * 12);
  }
  return { head, prompts: { count, size: 12, vectors } };
}

Deno.test("contrastiveLogits() are the cosines of img_fc2(relu(img_fc1(x))) to the prompts", () => {
  const random = seededRandom(4);
  for (const count of [2, 6, 8, 25]) {
    const { head, prompts } = contrastive(random, count);
    const embedding = [...random.floats(24)].map((v) => v * 5);
    const projected = dense(head.img_fc2, relu(dense(head.img_fc1, embedding)));
    const norm = Math.hypot(...projected);
    const expected = Array.from({ length: count }, (_, k) => {
      let dot = 0;
      for (let i = 0; i < 12; i++) dot += projected[i] * prompts.vectors[k * 12 + i];
      return dot / norm;
    });
    assertClose(contrastiveLogits(head, embedding, prompts), expected);
  }
});

Deno.test("contrastiveLogits() keeps the sign of the projection: img_fc2 is linear", () => {
  const identity = { kernel: Float32Array.of(1), bias: Float32Array.of(0), inputs: 1, units: 1 };
  const head: ContrastiveHead = {
    kind: "contrastive",
    img_fc1: identity,
    img_fc2: { ...identity, kernel: Float32Array.of(-2) },
  };
  const prompts = { count: 2, size: 1, vectors: Float32Array.of(1, -1) };
  assert.deepEqual([...contrastiveLogits(head, [3], prompts)], [-1, 1]);
});

Deno.test("both heads refuse an embedding of another size, and prompts of another space's size", () => {
  const random = seededRandom(5);
  const { head, prompts } = contrastive(random, 2);
  const crossEntropy: CrossEntropyHead = {
    kind: "cross-entropy",
    img_fc1: head.img_fc1,
    preds: randomDense(random, 16, 2),
  };
  const message = "Cannot apply a dense layer: it takes 24 numbers, got 23";
  const short = new Float32Array(23);
  assert.throws(() => crossEntropyLogits(crossEntropy, short), { name: "RangeError", message });
  assert.throws(() => contrastiveLogits(head, short, prompts), { name: "RangeError", message });
  const narrow = { count: 2, size: 11, vectors: new Float32Array(22) };
  assert.throws(() => contrastiveLogits(head, new Float32Array(24), narrow), {
    name: "RangeError",
    message: "Cannot compare with prompts: they have 11 dimensions, the embedding 12",
  });
});
