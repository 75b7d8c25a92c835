/**
 * Convolution, with its gradients.
 */

import { reshapeOf, transposeOf } from "./matrices.ts";
import type { Tape, Value } from "./tape.ts";

/** How a kernel goes over a picture. */
export interface Walk {
  /** From one place to the next, in both directions. */
  readonly stride: number;
  /** Zeros on every side. */
  readonly pad: number;
}

/**
 * A convolution: of all channels, or of each apart where the kernel has one for each.
 *
 * @param x `[B, C, H, W]`
 * @param kernel `[O, C, K, K]`, or `[C, 1, K, K]`
 * @param bias `[O]`
 * @returns `[B, O, (H + 2 pad - K) / stride + 1, ...]`, rounded down
 */
export function convolve(tape: Tape, x: Value, kernel: Value, bias: Value, walk: Walk): Value {
  const { stride, pad } = walk;
  const [batch, , height, width] = x.shape;
  const [units, , side] = kernel.shape;
  const places = (length: number) => Math.floor((length + 2 * pad - side) / stride) + 1;
  const shape = [batch, units, places(height), places(width)];
  const y = tape.emit("Conv", [x, kernel, bias], shape, {
    kernel_shape: { ints: [side, side] },
    strides: { ints: [stride, stride] },
    pads: { ints: [pad, pad, pad, pad] },
    group: { int: groupsOf(x, kernel) },
  });
  const ofKernel = isDepthwise(x, kernel) ? depthwiseGradient : kernelGradient;
  return tape.record(y, [x, kernel, bias], (g) => [
    tape.isLearned(x) ? pictureGradient(tape, g, kernel, x.shape, walk) : undefined,
    tape.isLearned(kernel) ? ofKernel(tape, g, x, kernel.shape, walk) : undefined,
    tape.isLearned(bias)
      ? tape.emit("ReduceSum", [g, tape.integers([0, 2, 3])], [units], { keepdims: { int: 0 } })
      : undefined,
  ]);
}

/** Whether each channel has a kernel of its own. */
function isDepthwise(x: Value, kernel: Value): boolean {
  return kernel.shape[1] === 1 && x.shape[1] > 1;
}

function groupsOf(x: Value, kernel: Value): number {
  return isDepthwise(x, kernel) ? x.shape[1] : 1;
}

/**
 * The transposed convolution: in single steps a convolution by the kernel turned round, which is faster. What the last place did
 * not reach gets zeros.
 */
function pictureGradient(
  tape: Tape,
  gradient: Value,
  kernel: Value,
  shape: readonly number[],
  { stride, pad }: Walk,
): Value {
  const [units, channels, side] = kernel.shape;
  const group = { int: channels === shape[1] ? 1 : units };
  const kernel_shape = { ints: [side, side] };
  if (stride === 1) {
    const turned = turnRound(tape, kernel);
    const back = group.int === 1 ? transposeOf(tape, turned, [1, 0, 2, 3]) : turned;
    const around = side - 1 - pad;
    const pads = { ints: [around, around, around, around] };
    return tape.emit("Conv", [gradient, back], shape, { kernel_shape, pads, group });
  }
  const rest = (axis: number) =>
    shape[axis] - ((gradient.shape[axis] - 1) * stride + side - 2 * pad);
  return tape.emit("ConvTranspose", [gradient, kernel], shape, {
    kernel_shape,
    strides: { ints: [stride, stride] },
    pads: { ints: [pad, pad, pad, pad] },
    output_padding: { ints: [rest(2), rest(3)] },
    group,
  });
}

/** Rows and columns of a kernel, last to first. */
function turnRound(tape: Tape, kernel: Value): Value {
  const side = kernel.shape[2];
  if (side === 1) return kernel;
  const [from, to, axes, steps] = [[-1, -1], [-side - 1, -side - 1], [2, 3], [-1, -1]]
    .map((numbers) => tape.integers(numbers));
  return tape.emit("Slice", [kernel, from, to, axes, steps], kernel.shape);
}

/**
 * For each place of the kernel, what it saw times the gradient there: a product of two long matrices.
 */
function kernelGradient(
  tape: Tape,
  gradient: Value,
  x: Value,
  [units, channels, side]: readonly number[],
  walk: Walk,
): Value {
  const [batch, , rows, columns] = gradient.shape;
  const count = batch * rows * columns;
  const long = reshapeOf(tape, transposeOf(tape, gradient, [1, 0, 2, 3]), [units, count]);
  const seen = transposeOf(tape, padded(tape, x, walk.pad), [1, 0, 2, 3]);
  const views = viewsOf(tape, seen, side, [rows, columns], walk.stride)
    .map((view) => reshapeOf(tape, view, [channels, count]));
  const all = views.length === 1
    ? views[0]
    : tape.emit("Concat", views, [side * side * channels, count], { axis: { int: 0 } });
  const product = tape.emit("Gemm", [long, all], [units, all.shape[0]], { transB: { int: 1 } });
  const byPlace = reshapeOf(tape, product, [units, side, side, channels]);
  return side === 1
    ? reshapeOf(tape, byPlace, [units, channels, 1, 1])
    : transposeOf(tape, byPlace, [0, 3, 1, 2]);
}

/** The same for kernels of single channels. */
function depthwiseGradient(
  tape: Tape,
  gradient: Value,
  x: Value,
  shape: readonly number[],
  walk: Walk,
): Value {
  const [channels, , side] = shape;
  const places: readonly number[] = gradient.shape.slice(2);
  const sums = viewsOf(tape, padded(tape, x, walk.pad), side, places, walk.stride).map((view) => {
    const product = tape.emit("Mul", [view, gradient], gradient.shape);
    const axes = tape.integers([0, 2, 3]);
    const sum = tape.emit("ReduceSum", [product, axes], [channels], { keepdims: { int: 0 } });
    return reshapeOf(tape, sum, [channels, 1]);
  });
  const all = sums.length === 1
    ? sums[0]
    : tape.emit("Concat", sums, [channels, side * side], { axis: { int: 1 } });
  return reshapeOf(tape, all, shape);
}

/** What each place of a kernel sees, row by row. */
function viewsOf(
  tape: Tape,
  x: Value,
  side: number,
  [rows, columns]: readonly number[],
  stride: number,
): Value[] {
  const [a, b, height, width] = x.shape;
  if (side === 1 && stride === 1 && height === rows && width === columns) return [x];
  return Array.from({ length: side * side }, (_, place) => {
    const [i, j] = [Math.floor(place / side), place % side];
    const range = [
      [i, j],
      [i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1],
      [2, 3],
      [stride, stride],
    ];
    const inputs = range.map((numbers) => tape.integers(numbers));
    return tape.emit("Slice", [x, ...inputs], [a, b, rows, columns]);
  });
}

/** Zeros on every side of `[B, C, H, W]`, whose gradient nobody needs. */
function padded(tape: Tape, x: Value, pad: number): Value {
  return pad === 0 ? x : padOf(tape, x, [pad, pad, pad, pad]);
}

/** Zeros at the top, the left, the bottom and the right of `[B, C, H, W]`. */
export function pad(tape: Tape, x: Value, sides: readonly number[]): Value {
  if (sides.every((side) => side === 0)) return x;
  const [top, left] = sides;
  const [, , height, width] = x.shape;
  const range = [[top, left], [top + height, left + width], [2, 3]];
  return tape.record(padOf(tape, x, sides), [x], (g) => {
    const inputs = range.map((numbers) => tape.integers(numbers));
    return [tape.emit("Slice", [g, ...inputs], x.shape)];
  });
}

function padOf(tape: Tape, x: Value, [top, left, bottom, right]: readonly number[]): Value {
  const [batch, channels, height, width] = x.shape;
  const shape = [batch, channels, height + top + bottom, width + left + right];
  return tape.emit("Pad", [x, tape.integers([0, 0, top, left, 0, 0, bottom, right])], shape);
}
