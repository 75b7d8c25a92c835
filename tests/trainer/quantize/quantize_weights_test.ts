import assert from "node:assert/strict";
import {
  BLOCK_SIZE,
  INT7_LIMIT,
  INT8_LIMIT,
  quantizeBlocks,
  quantizeChannels,
  transpose,
} from "../../../trainer/quantize/quantize_weights.ts";
import { seededRandom } from "../../random.ts";
import { relativeError } from "./models.ts";

Deno.test("quantizeChannels() gives each column of a matrix a scale of its own", () => {
  const weights = Float32Array.of(1, -1000, 0.4, 600, -0.25, 250);
  const { values, scales } = quantizeChannels(weights, [3, 2], 1, { limit: INT8_LIMIT });
  assert.deepEqual([...values], [127, -127, 51, 76, -32, 32]);
  assert.deepEqual([...scales], [Math.fround(1 / 127), Math.fround(1000 / 127)]);
});

Deno.test("quantizeChannels() gives all columns the scale of the largest, where that is asked for", () => {
  const weights = Float32Array.of(1, -1000, 0.4, 600, -0.25, 250);
  const precision = { limit: INT8_LIMIT, isPerTensor: true };
  const { values, scales } = quantizeChannels(weights, [3, 2], 1, precision);
  assert.deepEqual([...values].map(Math.abs), [0, 127, 0, 76, 0, 32]);
  assert.deepEqual([...scales], [Math.fround(1000 / 127), Math.fround(1000 / 127)]);
});

Deno.test("quantizeChannels() gives each row, or filter, a scale along the first axis", () => {
  const weights = Float32Array.of(1, 2, 4, 10, 20, 40);
  const { values, scales } = quantizeChannels(weights, [2, 3, 1, 1], 0, { limit: INT8_LIMIT });
  assert.deepEqual([...values], [32, 64, 127, 32, 64, 127]);
  assert.deepEqual([...scales], [Math.fround(4 / 127), Math.fround(40 / 127)]);
});

Deno.test("quantizeChannels() stays half a step from every weight, and within its limit", () => {
  const [rows, columns] = [50, 7];
  const weights = seededRandom(1).floats(rows * columns);
  for (const limit of [INT8_LIMIT, INT7_LIMIT]) {
    const { values, scales } = quantizeChannels(weights, [rows, columns], 1, { limit });
    assert.equal(Math.max(...values.map(Math.abs)), limit);
    for (const [i, value] of values.entries()) {
      const scale = scales[i % columns];
      assert.ok(Math.abs(value * scale - weights[i]) <= scale * 0.5001, `${weights[i]}`);
    }
  }
});

Deno.test("quantizeChannels() makes zeros of a column of zeros, and of numbers that are all but zero", () => {
  const weights = Float32Array.of(0, 1e-45, 1, 0, -1e-45, 2);
  const { values, scales } = quantizeChannels(weights, [2, 3], 1, { limit: INT8_LIMIT });
  assert.deepEqual([...values], [0, 0, 64, 0, 0, 127]);
  assert.ok(scales.every((scale) => Number.isFinite(scale) && scale > 0), `${scales}`);
});

/** What a block's integers stand for, by the definition of the operator that reads them. */
function readBlocks(
  { values, scales, blocks }: ReturnType<typeof quantizeBlocks>,
  bits: number,
  rows: number,
  columns: number,
): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const block = column * blocks + Math.floor(row / BLOCK_SIZE);
    const bit = (block * BLOCK_SIZE + row % BLOCK_SIZE) * bits;
    const value = values[Math.floor(bit / 8)] >> bit % 8 & 2 ** bits - 1;
    return (value - 2 ** (bits - 1)) * scales[block];
  });
}

for (const [bits, worst] of [[8, 0.006], [4, 0.09]] as const) {
  Deno.test(`quantizeBlocks() stays near the weights with ${bits} bits, whichever way they lie`, () => {
    const [rows, columns] = [70, 5];
    const weights = seededRandom(2).floats(rows * columns);
    const turned = Float32Array.from(
      weights,
      (_, i) => weights[i % rows * columns + Math.floor(i / rows)],
    );
    const plain = quantizeBlocks({ weights, rows, columns, isTransposed: false }, bits);
    assert.deepEqual(
      quantizeBlocks({ weights: turned, rows, columns, isTransposed: true }, bits),
      plain,
    );
    assert.equal(plain.blocks, 3);
    assert.equal(plain.values.length, columns * 3 * BLOCK_SIZE * bits / 8);
    const error = relativeError(readBlocks(plain, bits, rows, columns), weights);
    // Uniform numbers of 15 or 255 steps from end to end: 1 / (levels - 1) is 0.067 and 0.0039.
    assert.ok(error < worst, `${error}`);
  });
}

Deno.test("quantizeBlocks() is nearer than the largest weight's scale alone, by 7 % of the squares", () => {
  const random = seededRandom(3);
  const normal = () => Array.from({ length: 12 }, random.fraction).reduce((a, b) => a + b) - 6;
  const [rows, columns] = [32, 500];
  const weights = Float32Array.from({ length: rows * columns }, normal);
  const fitted = quantizeBlocks({ weights, rows, columns, isTransposed: false }, 4);
  let [plain, ours] = [0, 0];
  const read = readBlocks(fitted, 4, rows, columns);
  for (let column = 0; column < columns; column++) {
    const block = Array.from({ length: rows }, (_, row) => weights[row * columns + column]);
    const extreme = block.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a);
    for (const [row, weight] of block.entries()) {
      const scale = -extreme / 8;
      plain += (Math.max(-8, Math.min(7, Math.round(weight / scale))) * scale - weight) ** 2;
      ours += (read[row * columns + column] - weight) ** 2;
    }
  }
  assert.ok(ours < plain * 0.93, `${ours / plain}`);
});

Deno.test("quantizeBlocks() makes zeros of a block of zeros, with a scale that is a number", () => {
  const weights = new Float32Array(64);
  weights[40] = 3;
  const made = quantizeBlocks({ weights, rows: 64, columns: 1, isTransposed: false }, 4);
  assert.ok(made.scales.every((scale) => Number.isFinite(scale)), `${made.scales}`);
  const read = readBlocks(made, 4, 64, 1);
  assert.ok(Math.abs(read[40] - 3) < 1e-6, `${read[40]}`);
  assert.ok(read.every((value, i) => i === 40 || value === 0));
});

Deno.test("transpose() changes a matrix's axes", () => {
  assert.deepEqual([...transpose(Int8Array.of(1, 2, 3, 4, 5, 6), 2, 3)], [1, 4, 2, 5, 3, 6]);
});
