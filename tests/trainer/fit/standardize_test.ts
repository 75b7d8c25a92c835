import { applyDense, type Dense, type HeadInput } from "@clip-e/shared";
import assert from "node:assert/strict";
import { Inputs } from "../../../trainer/fit/inputs.ts";
import { seededRandom } from "../../random.ts";

const [ROWS, SIZE] = [50, 6];
const USED = Array.from({ length: ROWS - 10 }, (_, i) => i + 5);

/** Features of other means and deviations, the last of them constant. */
function embeddings(): Float32Array {
  return seededRandom(1).floats(ROWS * SIZE).map((v, i) => {
    const d = i % SIZE;
    return d === SIZE - 1 ? 0.1 : 10 ** (d - 2) * (v + d);
  });
}

/** Measured by the rows that are used. */
function inputsOf(embeddings: Float32Array, input: HeadInput = "raw"): Inputs {
  return new Inputs({ embeddings, size: SIZE, input, standardizeBy: USED });
}

function write(inputs: Inputs, row: number): Float32Array {
  const out = new Float32Array(SIZE);
  inputs.write(row, out, 0);
  return out;
}

Deno.test("Inputs give the rows that they were measured by mean 0 and deviation 1", () => {
  for (const input of ["raw", "unit"] as const) {
    const inputs = inputsOf(embeddings(), input);
    const rows = USED.map((row) => write(inputs, row));
    // Divided by the length, the last feature varies, too.
    for (let d = 0; d < (input === "raw" ? SIZE - 1 : SIZE); d++) {
      const mean = rows.reduce((sum, x) => sum + x[d], 0) / rows.length;
      const variance = rows.reduce((sum, x) => sum + x[d] ** 2, 0) / rows.length;
      assert.ok(Math.abs(mean) < 1e-5, `${input}: feature ${d} has mean ${mean}`);
      assert.ok(Math.abs(variance - 1) < 1e-5, `${input}: feature ${d} has variance ${variance}`);
    }
  }
});

Deno.test("Inputs are measured by the rows that they are told of only", () => {
  const changed = embeddings();
  changed.fill(NaN, 0, USED[0] * SIZE);
  const [one, other] = [inputsOf(changed), inputsOf(embeddings())];
  for (const row of USED) assert.deepEqual(write(one, row), write(other, row));
});

Deno.test("Inputs have a feature that did not vary taken out, at 0 too", () => {
  const varied = inputsOf(embeddings());
  for (const row of USED) assert.equal(write(varied, row)[SIZE - 1], 0);
  const small = Float32Array.of(0, 1e-9, 0, 2e-9, 0, 3e-9);
  const standardizeBy = [0, 1, 2];
  const inputs = new Inputs({ embeddings: small, size: 2, input: "raw", standardizeBy });
  const out = new Float32Array(2);
  inputs.write(2, out, 0);
  assert.equal(out[0], 0);
  assert.ok(out[1] > 1, "a feature that is small but varies was taken out");
});

Deno.test("Inputs are written where they are to go, and nowhere else", () => {
  const inputs = inputsOf(embeddings());
  const out = new Float32Array(3 * SIZE).fill(7);
  inputs.write(9, out, SIZE);
  assert.deepEqual(out.slice(SIZE, 2 * SIZE), write(inputs, 9));
  for (const i of [0, SIZE - 1, 2 * SIZE, 3 * SIZE - 1]) assert.equal(out[i], 7);
});

Deno.test("Inputs fold into a layer that answers raw embeddings as before", () => {
  const random = seededRandom(2);
  const layer: Dense = {
    inputs: SIZE,
    units: 8,
    kernel: random.floats(SIZE * 8),
    bias: random.floats(8),
  };
  const data = embeddings();
  const inputs = inputsOf(data);
  const folded = inputs.fold(layer);
  for (let row = 0; row < ROWS; row++) {
    const expected = applyDense(layer, write(inputs, row));
    const actual = applyDense(folded, data.subarray(row * SIZE, (row + 1) * SIZE));
    for (const [j, y] of expected.entries()) {
      assert.ok(Math.abs(actual[j] - y) < 1e-5, `row ${row}: ${actual[j]} is not ${y}`);
    }
  }
  assert.equal(
    new Inputs({ embeddings: data, size: SIZE, input: "raw", standardizeBy: undefined }).fold(
      layer,
    ),
    layer,
  );
});

Deno.test("Inputs fold into a layer that ignores a feature that did not vary", () => {
  const layer: Dense = {
    inputs: SIZE,
    units: 1,
    kernel: new Float32Array(SIZE).fill(1),
    bias: new Float32Array(1),
  };
  const folded = inputsOf(embeddings()).fold(layer);
  const [one, other] = [0.1, 1000].map((last) => {
    const x = embeddings().slice(0, SIZE);
    x[SIZE - 1] = last;
    return applyDense(folded, x);
  });
  assert.deepEqual(one, other);
});

Deno.test("Inputs of length 1 keep an embedding's direction, and one of zeros", () => {
  const data = Float32Array.of(3, 4, 0, 0);
  const standardizeBy = undefined;
  const inputs = new Inputs({ embeddings: data, size: 2, input: "unit", standardizeBy });
  const out = new Float32Array(4);
  for (const row of [0, 1]) inputs.write(row, out, 2 * row);
  assert.deepEqual([...out], [0.6, 0.8, 0, 0].map(Math.fround));
});
