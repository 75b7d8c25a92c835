/**
 * Operators that work on one number at a time, and sums of these, with their gradients.
 */

import { sizeOf, type Tape, type Value } from "./tape.ts";

/** ONNX's number of 32-bit floats. */
const FLOAT = 1;

/** `a + b`, by NumPy's rules of broadcasting. */
export function add(tape: Tape, a: Value, b: Value): Value {
  const sum = tape.emit("Add", [a, b], broadcast(a.shape, b.shape));
  return tape.record(sum, [a, b], (g) => [shrink(tape, g, a.shape), shrink(tape, g, b.shape)]);
}

/** `a - b`. */
export function subtract(tape: Tape, a: Value, b: Value): Value {
  const difference = tape.emit("Sub", [a, b], broadcast(a.shape, b.shape));
  return tape.record(difference, [a, b], (g) => [
    shrink(tape, g, a.shape),
    tape.isLearned(b) ? tape.emit("Neg", [shrink(tape, g, b.shape)], b.shape) : undefined,
  ]);
}

/** `a b`. */
export function multiply(tape: Tape, a: Value, b: Value): Value {
  const product = tape.emit("Mul", [a, b], broadcast(a.shape, b.shape));
  const times = (g: Value, other: Value, own: Value) =>
    tape.isLearned(own)
      ? shrink(tape, tape.emit("Mul", [g, other], product.shape), own.shape)
      : undefined;
  return tape.record(product, [a, b], (g) => [times(g, b, a), times(g, a, b)]);
}

/** `a` times a number that is known. */
export function scale(tape: Tape, a: Value, factor: number): Value {
  return factor === 1 ? a : multiply(tape, a, tape.scalar(factor));
}

/** `1 / sqrt(x)`. */
export function reciprocalRoot(tape: Tape, x: Value): Value {
  const root = tape.emit("Sqrt", [x], x.shape);
  const y = tape.emit("Reciprocal", [root], x.shape);
  return tape.record(y, [x], (g) => {
    const cube = tape.emit("Mul", [tape.emit("Mul", [y, y], x.shape), y], x.shape);
    const slope = tape.emit("Mul", [cube, tape.scalar(-0.5)], x.shape);
    return [tape.emit("Mul", [g, slope], x.shape)];
  });
}

/** `max(x, 0)`. */
export function relu(tape: Tape, x: Value): Value {
  const y = tape.emit("Relu", [x], x.shape);
  return tape.record(y, [x], (g) => {
    // Not Where, which takes four times as long.
    const isPositive = tape.emit("Greater", [y, tape.scalar(0)], x.shape);
    const slope = tape.emit("Cast", [isPositive], x.shape, { to: { int: FLOAT } });
    return [tape.emit("Mul", [g, slope], x.shape)];
  });
}

/** `x`, but no less and no more than two numbers. */
export function clip(tape: Tape, x: Value, least: number, most: number): Value {
  const y = tape.emit("Clip", [x, tape.scalar(least), tape.scalar(most)], x.shape);
  return tape.record(y, [x], (g) => {
    const above = tape.emit("Greater", [y, tape.scalar(least)], x.shape);
    const below = tape.emit("Less", [y, tape.scalar(most)], x.shape);
    const isBetween = tape.emit("And", [above, below], x.shape);
    const slope = tape.emit("Cast", [isBetween], x.shape, { to: { int: FLOAT } });
    return [tape.emit("Mul", [g, slope], x.shape)];
  });
}

/** The mean over axes, which stay with length 1. */
export function mean(tape: Tape, x: Value, axes: readonly number[]): Value {
  const kept = x.shape.map((length, axis) => axes.includes(axis) ? 1 : length);
  const count = sizeOf(x.shape) / sizeOf(kept);
  const y = tape.emit("ReduceMean", [x], kept, {
    axes: { ints: axes },
    keepdims: { int: 1 },
  });
  return tape.record(y, [x], (g) => {
    const share = tape.emit("Mul", [g, tape.scalar(1 / count)], kept);
    return [tape.emit("Expand", [share, tape.integers(x.shape)], x.shape)];
  });
}

/** The shape that two give together. */
export function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [a.at(i - rank) ?? 1, b.at(i - rank) ?? 1];
    if (m === n || n === 1) return m;
    if (m === 1) return n;
    throw new RangeError(`Cannot broadcast [${a}] and [${b}]`);
  });
}

/** Sums a gradient over what its value was broadcast along. */
function shrink(tape: Tape, gradient: Value, shape: readonly number[]): Value {
  const rank = gradient.shape.length;
  const axes = [...gradient.shape.keys()].filter((axis) =>
    gradient.shape[axis] !== (shape.at(axis - rank) ?? 1) || axis < rank - shape.length
  );
  if (axes.length === 0) return gradient;
  const kept = gradient.shape.map((length, axis) => axes.includes(axis) ? 1 : length);
  const sum = tape.emit("ReduceSum", [gradient, tape.integers(axes)], kept, {
    keepdims: { int: 1 },
  });
  if (rank === shape.length) return sum;
  return tape.emit("Reshape", [sum, tape.integers(shape)], shape);
}
