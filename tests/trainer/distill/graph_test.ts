/**
 * Gradients that the graph makes, held against differences of the same functions written out in 64-bit floats.
 */

import assert from "node:assert/strict";
import { convolve, pad } from "../../../trainer/distill/graph/convolution.ts";
import {
  add,
  clip,
  mean,
  multiply,
  reciprocalRoot,
  relu,
  scale,
  subtract,
} from "../../../trainer/distill/graph/elementwise.ts";
import {
  logSoftmax,
  matmul,
  reshape,
  softmax,
  transpose,
} from "../../../trainer/distill/graph/matrices.ts";
import { sizeOf, Tape, type Value } from "../../../trainer/distill/graph/tape.ts";
import { Random } from "../../../trainer/random.ts";
import { runGraph } from "./run_graph.ts";

/** A function in the graph, and the same in plain numbers. */
interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly build: (tape: Tape, ...inputs: Value[]) => Value;
  readonly plain: (...inputs: Float64Array[]) => number[];
  /** Where inputs are drawn from; all numbers by default. */
  readonly draw?: (random: Random) => number;
}

const at = (x: Float64Array, columns: number, i: number, j: number) => x[i * columns + j];

/** `[2, 3, 6, 6]` by `[4, 3, side, side]`. */
function plainConvolution(stride: number, pad: number, side: number) {
  return (x: Float64Array, kernel: Float64Array, bias: Float64Array): number[] => {
    const places = Math.floor((6 + 2 * pad - side) / stride) + 1;
    const y: number[] = [];
    for (let n = 0; n < 2; n++) {
      for (let o = 0; o < 4; o++) {
        for (let i = 0; i < places; i++) {
          for (let j = 0; j < places; j++) {
            let sum = bias[o];
            for (let c = 0; c < 3; c++) {
              for (let di = 0; di < side; di++) {
                for (let dj = 0; dj < side; dj++) {
                  const [row, column] = [i * stride + di - pad, j * stride + dj - pad];
                  if (row < 0 || column < 0 || row > 5 || column > 5) continue;
                  sum += x[((n * 3 + c) * 6 + row) * 6 + column] *
                    kernel[((o * 3 + c) * side + di) * side + dj];
                }
              }
            }
            y.push(sum);
          }
        }
      }
    }
    return y;
  };
}

const convolution = (stride: number, pad: number, side: number): Case => ({
  shapes: [[2, 3, 6, 6], [4, 3, side, side], [4]],
  build: (tape, x, kernel, bias) => convolve(tape, x, kernel, bias, { stride, pad }),
  plain: plainConvolution(stride, pad, side),
});

/** `[2, 3, 6, 6]` by `[3, 1, 3, 3]`: the same as a kernel of all channels that is 0 for the others. */
function depthwise(stride: number, pad: number): Case {
  const plain = plainConvolution(stride, pad, 3);
  return {
    shapes: [[2, 3, 6, 6], [3, 1, 3, 3], [3]],
    build: (tape, x, kernel, bias) => convolve(tape, x, kernel, bias, { stride, pad }),
    plain(x, kernel, bias) {
      const whole = new Float64Array(4 * 27);
      for (let c = 0; c < 3; c++) whole.set(kernel.subarray(c * 9, c * 9 + 9), c * 27 + c * 9);
      const y = plain(x, whole, Float64Array.of(...bias, 0));
      const places = y.length / 8;
      return y.filter((_, i) => Math.floor(i / places) % 4 < 3);
    },
  };
}

const CASES: Readonly<Record<string, Case>> = {
  "add() and subtract(), with broadcasting": {
    shapes: [[2, 3], [3], [2, 1]],
    build: (tape, a, b, c) => subtract(tape, add(tape, a, b), c),
    plain: (a, b, c) => [...a].map((x, i) => x + b[i % 3] - c[Math.floor(i / 3)]),
  },
  "multiply(), with broadcasting, and scale()": {
    shapes: [[2, 3], [2, 1]],
    build: (tape, a, b) => scale(tape, multiply(tape, a, b), 3),
    plain: (a, b) => [...a].map((x, i) => 3 * x * b[Math.floor(i / 3)]),
  },
  "a value that is used twice": {
    shapes: [[4]],
    build: (tape, a) => add(tape, multiply(tape, a, a), a),
    plain: (a) => [...a].map((x) => x * x + x),
  },
  "reciprocalRoot()": {
    shapes: [[5]],
    build: reciprocalRoot,
    plain: (x) => [...x].map((x) => 1 / Math.sqrt(x)),
    draw: (random) => 0.5 + random.next(),
  },
  "relu()": {
    shapes: [[7]],
    build: relu,
    plain: (x) => [...x].map((x) => Math.max(0, x)),
  },
  "mean() over two axes": {
    shapes: [[2, 3, 4]],
    build: (tape, x) => mean(tape, x, [0, 2]),
    plain: (x) =>
      [0, 1, 2].map((j) => {
        let sum = 0;
        for (let i = 0; i < 2; i++) for (let k = 0; k < 4; k++) sum += x[(i * 3 + j) * 4 + k];
        return sum / 8;
      }),
  },
  "matmul() of rows of any rank by a matrix": {
    shapes: [[2, 2, 3], [3, 4]],
    build: matmul,
    plain: (a, b) =>
      Array.from({ length: 16 }, (_, n) => {
        const [i, j] = [Math.floor(n / 4), n % 4];
        return at(a, 3, i, 0) * at(b, 4, 0, j) + at(a, 3, i, 1) * at(b, 4, 1, j) +
          at(a, 3, i, 2) * at(b, 4, 2, j);
      }),
  },
  "matmul() of many matrices": {
    shapes: [[2, 2, 3], [2, 3, 2]],
    build: matmul,
    plain: (a, b) =>
      Array.from({ length: 8 }, (_, n) => {
        const [m, i, j] = [Math.floor(n / 4), Math.floor(n / 2) % 2, n % 2];
        return [0, 1, 2].reduce((sum, k) => sum + a[m * 6 + i * 3 + k] * b[m * 6 + k * 2 + j], 0);
      }),
  },
  "reshape() and transpose()": {
    shapes: [[2, 6]],
    build: (tape, x) => transpose(tape, reshape(tape, x, [2, 3, 2]), [1, 2, 0]),
    plain: (x) =>
      Array.from({ length: 12 }, (_, n) => x[(n % 2) * 6 + Math.floor(n / 4) * 2 + (n >> 1) % 2]),
  },
  "softmax()": {
    shapes: [[2, 3]],
    build: softmax,
    plain: (x) =>
      [0, 1].flatMap((i) => {
        const powers = [0, 1, 2].map((j) => Math.exp(x[i * 3 + j]));
        const sum = powers.reduce((a, b) => a + b);
        return powers.map((power) => power / sum);
      }),
  },
  "logSoftmax()": {
    shapes: [[2, 3]],
    build: logSoftmax,
    plain: (x) =>
      [0, 1].flatMap((i) => {
        const row = x.subarray(i * 3, i * 3 + 3);
        const sum = row.reduce((sum, value) => sum + Math.exp(value), 0);
        return [...row].map((value) => value - Math.log(sum));
      }),
  },
  "clip()": {
    shapes: [[9]],
    build: (tape, x) => clip(tape, x, -0.5, 0.7),
    plain: (x) => [...x].map((x) => Math.min(0.7, Math.max(-0.5, x))),
  },
  "pad(), more on some sides": {
    shapes: [[1, 1, 2, 2]],
    build: (tape, x) => pad(tape, x, [1, 0, 0, 2]),
    plain: ([a, b, c, d]) => [0, 0, 0, 0, a, b, 0, 0, c, d, 0, 0],
  },
  "convolve() of each channel apart": depthwise(1, 1),
  "convolve() of each channel apart, in steps of two": depthwise(2, 0),
  "convolve() with a kernel of one pixel": convolution(1, 0, 1),
  "convolve() with zeros around": convolution(1, 1, 3),
  "convolve() with fewer zeros around than would keep the size": convolution(1, 0, 3),
  "convolve() in steps of two, which miss the last row": convolution(2, 1, 3),
  "convolve() in steps as large as the kernel": convolution(2, 0, 2),
};

/** Differences of `Σ y weights` as each number goes up and down. */
function differences({ plain }: Case, inputs: Float64Array[], weights: Float64Array) {
  const value = () => plain(...inputs).reduce((sum, y, i) => sum + y * weights[i], 0);
  const step = 1e-5;
  return inputs.map((input) =>
    input.map((_, i) => {
      const before = input[i];
      input[i] = before + step;
      const above = value();
      input[i] = before - step;
      const below = value();
      input[i] = before;
      return (above - below) / (2 * step);
    })
  );
}

for (const [name, example] of Object.entries(CASES)) {
  Deno.test(`Tape.gradients() differentiates ${name}`, async () => {
    const random = new Random(7);
    const { shapes, build, plain, draw = (random) => random.normal() } = example;
    const arrays = shapes.map((shape) =>
      Float32Array.from({ length: sizeOf(shape) }, () => draw(random))
    );
    const tape = new Tape("test");
    const inputs = shapes.map((shape, i) => tape.learn(tape.input(`x${i}`, shape)));
    const y = build(tape, ...inputs);
    const weights = Float32Array.from({ length: sizeOf(y.shape) }, () => random.normal());
    const weighed = multiply(tape, y, tape.constant(y.shape, weights));
    const axes = [...y.shape.keys()];
    const loss = scale(tape, mean(tape, weighed, axes), sizeOf(y.shape));
    const wanted = [y, ...tape.gradients(loss, inputs)];
    const named = Object.fromEntries(arrays.map((array, i) => [`x${i}`, array]));
    const [values, ...gradients] = await runGraph(tape, inputs, named, wanted);

    const exact = arrays.map((array) => Float64Array.from(array));
    near(values, plain(...exact));
    const expected = differences(example, exact, Float64Array.from(weights));
    gradients.forEach((gradient, i) => near(gradient, expected[i]));
  });
}

Deno.test("Tape.gradients() refuses what the loss does not depend on", () => {
  const tape = new Tape("test");
  const [a, b] = ["a", "b"].map((name) => tape.learn(tape.input(name, [2])));
  assert.throws(
    () => tape.gradients(mean(tape, a, [0]), [b]),
    /the loss does not depend on b/,
  );
});

function near(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    assert.ok(
      error < 1e-4 * Math.max(1, Math.abs(expected[i])),
      `${i}: ${actual[i]}, not ${expected[i]}`,
    );
  }
}
