/**
 * Products of matrices and changes of shape, with their gradients.
 */

import { sizeOf, type Tape, type Value } from "./tape.ts";

/**
 * `a b`: rows of any rank by a matrix, or as many matrices by as many.
 *
 * @param a `[..., M, K]`
 * @param b `[K, N]`, or `[..., K, N]`
 */
export function matmul(tape: Tape, a: Value, b: Value): Value {
  const [rows, inner] = a.shape.slice(-2);
  const units = b.shape[b.shape.length - 1];
  const product = tape.emit("MatMul", [a, b], [...a.shape.slice(0, -2), rows, units]);
  if (b.shape.length > 2) {
    return tape.record(product, [a, b], (g) => [
      tape.isLearned(a) ? tape.emit("MatMul", [g, swap(tape, b)], a.shape) : undefined,
      tape.isLearned(b) ? tape.emit("MatMul", [swap(tape, a), g], b.shape) : undefined,
    ]);
  }
  const flat = (x: Value, length: number) =>
    x.shape.length === 2 ? x : reshapeOf(tape, x, [sizeOf(x.shape) / length, length]);
  return tape.record(product, [a, b], (g) => {
    const gradient = flat(g, units);
    const count = gradient.shape[0];
    const ofA = tape.isLearned(a)
      ? tape.emit("Gemm", [gradient, b], [count, inner], { transB: { int: 1 } })
      : undefined;
    const ofB = tape.isLearned(b)
      ? tape.emit("Gemm", [flat(a, inner), gradient], b.shape, { transA: { int: 1 } })
      : undefined;
    return [ofA && reshapeOf(tape, ofA, a.shape), ofB];
  });
}

/**
 * The same numbers in another shape. The batch, which comes first, stays.
 *
 * @param shape with the batch
 */
export function reshape(tape: Tape, x: Value, shape: readonly number[]): Value {
  const y = tape.emit("Reshape", [x, tape.integers([0, ...shape.slice(1)])], shape);
  return tape.record(y, [x], (g) => [reshapeOf(tape, g, x.shape)]);
}

/** Axes in another order. */
export function transpose(tape: Tape, x: Value, order: readonly number[]): Value {
  const y = transposeOf(tape, x, order);
  const back = order.map((_, axis) => order.indexOf(axis));
  return tape.record(y, [x], (g) => [transposeOf(tape, g, back)]);
}

/** Numbers from 0 to 1 that add to 1 along the last axis. */
export function softmax(tape: Tape, x: Value): Value {
  const y = tape.emit("Softmax", [x], x.shape, { axis: { int: -1 } });
  return tape.record(y, [x], (g) => {
    const weighed = tape.emit("Mul", [g, y], x.shape);
    const sums = tape.emit("ReduceSum", [weighed, tape.integers([-1])], [
      ...x.shape.slice(0, -1),
      1,
    ]);
    return [tape.emit("Sub", [weighed, tape.emit("Mul", [y, sums], x.shape)], x.shape)];
  });
}

/** Logarithms of what {@linkcode softmax} gives. */
export function logSoftmax(tape: Tape, x: Value): Value {
  const y = tape.emit("LogSoftmax", [x], x.shape, { axis: { int: -1 } });
  return tape.record(y, [x], (g) => {
    const sums = tape.emit("ReduceSum", [g, tape.integers([-1])], [...x.shape.slice(0, -1), 1]);
    const shares = tape.emit("Mul", [tape.emit("Exp", [y], x.shape), sums], x.shape);
    return [tape.emit("Sub", [g, shares], x.shape)];
  });
}

/** The last two axes swapped. */
function swap(tape: Tape, x: Value): Value {
  const rank = x.shape.length;
  return transposeOf(tape, x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** A change of shape whose gradient nobody needs. */
export function reshapeOf(tape: Tape, x: Value, shape: readonly number[]): Value {
  if (x.shape.join() === shape.join()) return x;
  return tape.emit("Reshape", [x, tape.integers(shape)], shape);
}

/** A change of order whose gradient nobody needs. */
export function transposeOf(tape: Tape, x: Value, order: readonly number[]): Value {
  return tape.emit("Transpose", [x], order.map((axis) => x.shape[axis]), {
    perm: { ints: order },
  });
}
