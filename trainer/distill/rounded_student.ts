/**
 * A student that learns to do with 8-bit weights: it sees by kernels that are rounded as `quantize --mode int8-weights
 * --conv-weights` rounds them, so that to store it so costs nothing.
 */

import { INT8_LIMIT } from "../quantize/quantize_weights.ts";
import { scale } from "./graph/elementwise.ts";
import type { Tape, Value } from "./graph/tape.ts";
import type { Student } from "./student.ts";

/** So small are the scales of zeros alone. */
const LEAST_SCALE = 1e-30;

/**
 * Rounds a student's kernels wherever it is run, measured and written. What is learned is not rounded: gradients are those of
 * the kernels themselves (the straight-through estimator; Bengio, Léonard, Courville, arXiv 1308.3432).
 *
 * @param student whose parameters it has
 */
export function roundKernels(student: Student): Student {
  const kernels = student.parameters.filter(({ decays }) => decays).map(({ name }) => name);
  return {
    ...student,
    weights(tape, parameters) {
      const weights = student.weights(tape, parameters);
      const rounded = kernels.map((name) => [name, roundToInt8(tape, weights[name])]);
      return { ...weights, ...Object.fromEntries(rounded) };
    },
  };
}

/**
 * Rounds to 255 steps, with a scale for each output.
 *
 * @param tape written to
 * @param kernel of a convolution, `[O, I, H, W]`, or of a product, `[I, O]`
 */
function roundToInt8(tape: Tape, kernel: Value): Value {
  const { shape } = kernel;
  const axes = shape.length === 2 ? [0] : [...shape.keys()].slice(1);
  const channels = shape.map((length, axis) => axes.includes(axis) ? 1 : length);
  const largest = tape.emit("ReduceMax", [tape.emit("Abs", [kernel], shape)], channels, {
    axes: { ints: axes },
    keepdims: { int: 1 },
  });
  const wanted = scale(tape, largest, 1 / INT8_LIMIT);
  const step = tape.emit("Max", [wanted, tape.scalar(LEAST_SCALE)], channels);
  const integers = tape.emit("Round", [tape.emit("Div", [kernel, step], shape)], shape);
  const rounded = tape.emit("Mul", [integers, step], shape);
  return tape.record(rounded, [kernel], (gradient) => [gradient]);
}
