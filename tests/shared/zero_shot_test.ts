import { cosineLogits, type Prompts } from "@clip-e/shared";
import assert from "node:assert/strict";
import { seededRandom } from "../random.ts";

/** Prompts whose vectors are along the axes and the diagonal of a plane. */
const COMPASS: Prompts = {
  count: 4,
  size: 2,
  vectors: Float32Array.of(1, 0, 0, 1, -1, 0, Math.SQRT1_2, Math.SQRT1_2),
};

function assertClose(actual: ArrayLike<number>, expected: readonly number[], within: number): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    assert.ok(Math.abs(actual[i] - value) <= within, `[${i}] is ${actual[i]}, expected ${value}`);
  });
}

Deno.test("cosineLogits() gives the cosine to each prompt, in their order", () => {
  assertClose(cosineLogits([2, 0], COMPASS), [1, 0, -1, Math.SQRT1_2], 1e-7);
  assertClose(cosineLogits([0, -3], COMPASS), [0, -1, 0, -Math.SQRT1_2], 1e-7);
  assertClose(cosineLogits([5, 5], COMPASS), [Math.SQRT1_2, Math.SQRT1_2, -Math.SQRT1_2, 1], 1e-7);
});

Deno.test("cosineLogits() does not depend on the embedding's length", () => {
  const random = seededRandom(2);
  const prompts = { count: 25, size: 64, vectors: unitVectors(25, 64, 3) };
  const embedding = Float64Array.from(random.floats(64));
  const logits = [...cosineLogits(embedding, prompts)];
  for (const scale of [1e-12, 0.5, 1e12]) {
    assertClose(cosineLogits(embedding.map((v) => v * scale), prompts), logits, 1e-14);
  }
});

Deno.test("cosineLogits() equals the quotient of dot product and norms, and stays in -1..1", () => {
  const random = seededRandom(4);
  const vectors = unitVectors(8, 512, 5);
  const embedding = random.floats(512);
  const norm = Math.hypot(...embedding);
  const expected = Array.from({ length: 8 }, (_, k) => {
    const prompt = vectors.slice(k * 512, (k + 1) * 512);
    return prompt.reduce((dot, v, i) => dot + v * embedding[i], 0) / norm / Math.hypot(...prompt);
  });
  const logits = cosineLogits(embedding, { count: 8, size: 512, vectors });
  assertClose(logits, expected, 1e-6);
  assert.ok(logits.every((cosine) => cosine >= -1 && cosine <= 1));
});

Deno.test("cosineLogits() gives zeros, not NaN, for an embedding of zeros", () => {
  assert.deepEqual([...cosineLogits([0, 0], COMPASS)], [0, 0, 0, 0]);
});

Deno.test("cosineLogits() refuses an embedding of another size than the prompts'", () => {
  assert.throws(() => cosineLogits([1, 2, 3], COMPASS), {
    name: "RangeError",
    message: "Cannot compare with prompts: they have 2 dimensions, the embedding 3",
  });
});

/** Random vectors `[count, size]` of length 1. */
function unitVectors(count: number, size: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  const vectors = new Float32Array(count * size);
  for (let k = 0; k < count; k++) {
    const vector = random.floats(size);
    const norm = Math.hypot(...vector);
    vectors.set(vector.map((v) => v / norm), k * size);
  }
  return vectors;
}
