import { applyDense, type Dense } from "@clip-e/shared";
import assert from "node:assert/strict";
import { fitStandardizer, foldStandardizer, standardizeRow } from "../../trainer/standardize.ts";
import { seededRandom } from "../random.ts";

const [ROWS, SIZE] = [50, 6];
const USED = Array.from({ length: ROWS - 10 }, (_, i) => i + 5);

/** Features of other means and deviations, the last of them constant. */
function embeddings(): Float32Array {
  return seededRandom(1).floats(ROWS * SIZE).map((v, i) => {
    const d = i % SIZE;
    return d === SIZE - 1 ? 0.1 : 10 ** (d - 2) * (v + d);
  });
}

Deno.test("fitStandardizer() gives the rows it measured mean 0 and deviation 1", () => {
  const standardizer = fitStandardizer(embeddings(), SIZE, USED);
  const out = new Float32Array(USED.length * SIZE);
  for (const [i, row] of USED.entries()) {
    standardizeRow(standardizer, embeddings(), row, out, i * SIZE);
  }
  for (let d = 0; d < SIZE - 1; d++) {
    const column = USED.map((_, i) => out[i * SIZE + d]);
    const mean = column.reduce((sum, x) => sum + x, 0) / column.length;
    const variance = column.reduce((sum, x) => sum + x * x, 0) / column.length;
    assert.ok(Math.abs(mean) < 1e-6, `feature ${d} has mean ${mean}`);
    assert.ok(Math.abs(variance - 1) < 1e-6, `feature ${d} has variance ${variance}`);
  }
});

Deno.test("fitStandardizer() looks at the rows that it is told of only", () => {
  const changed = embeddings();
  changed.fill(NaN, 0, USED[0] * SIZE);
  assert.deepEqual(
    fitStandardizer(changed, SIZE, USED),
    fitStandardizer(embeddings(), SIZE, USED),
  );
});

Deno.test("fitStandardizer() takes a feature that does not vary out, at 0 too", () => {
  assert.equal(fitStandardizer(embeddings(), SIZE, USED).scale[SIZE - 1], 0);
  const { scale } = fitStandardizer(Float32Array.of(0, 1e-9, 0, 2e-9, 0, 3e-9), 2, [0, 1, 2]);
  assert.equal(scale[0], 0);
  assert.ok(scale[1] > 1e8, "a feature that is small but varies was taken out");
});

Deno.test("foldStandardizer() gives a layer that answers raw inputs as before", () => {
  const random = seededRandom(2);
  const layer: Dense = {
    inputs: SIZE,
    units: 8,
    kernel: random.floats(SIZE * 8),
    bias: random.floats(8),
  };
  const data = embeddings();
  const standardizer = fitStandardizer(data, SIZE, USED);
  const folded = foldStandardizer(standardizer, layer);
  const standardized = new Float32Array(SIZE);
  for (let row = 0; row < ROWS; row++) {
    standardizeRow(standardizer, data, row, standardized, 0);
    const expected = applyDense(layer, standardized);
    const actual = applyDense(folded, data.subarray(row * SIZE, (row + 1) * SIZE));
    for (const [j, y] of expected.entries()) {
      assert.ok(Math.abs(actual[j] - y) < 1e-5, `row ${row}: ${actual[j]} is not ${y}`);
    }
  }
});

Deno.test("foldStandardizer() lets the layer ignore a feature that did not vary", () => {
  const layer: Dense = {
    inputs: SIZE,
    units: 1,
    kernel: new Float32Array(SIZE).fill(1),
    bias: new Float32Array(1),
  };
  const folded = foldStandardizer(fitStandardizer(embeddings(), SIZE, USED), layer);
  const [one, other] = [0.1, 1000].map((last) => {
    const x = embeddings().slice(0, SIZE);
    x[SIZE - 1] = last;
    return applyDense(folded, x);
  });
  assert.deepEqual(one, other);
});
