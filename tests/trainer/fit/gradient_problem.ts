/**
 * Heads with weights and examples drawn from a seed, both for an objective on the device and for the plain losses. Every
 * number is a 32-bit float, so that both see the same.
 */

import { numpy as np } from "@jax-js/jax";
import assert from "node:assert/strict";
import type { Batch } from "../../../trainer/fit/batch.ts";
import type { HeadParams, Objective } from "../../../trainer/fit/objective.ts";
import type { Random } from "../../random.ts";
import {
  beforeRelu,
  type Examples,
  type PlainDense,
  type PlainHead,
  unit,
} from "./plain_losses.ts";

const STEP = 1e-5;

/** Floats from -size to size. */
export function drawRows(rows: number, columns: number, random: Random, size = 1): number[][] {
  return Array.from(
    { length: rows },
    () => Array.from(random.floats(columns), (v) => Math.fround(v * size)),
  );
}

/** Unit vectors, rounded to floats. */
export function drawPrompts(count: number, size: number, random: Random): number[][] {
  return drawRows(count, size, random).map((row) => unit(row).map(Math.fround));
}

/** A head of random weights. */
export function drawHead(inputs: number, hidden: number, units: number, random: Random): PlainHead {
  const layer = (rows: number, columns: number): PlainDense => ({
    kernel: drawRows(rows, columns, random),
    bias: drawRows(1, columns, random)[0],
  });
  return [layer(inputs, hidden), layer(hidden, units)];
}

/** Puts a head on the device, its last layer padded with zeros if it is to have `width` units. */
export function toParams(
  [first, last]: PlainHead,
  name: "preds" | "img_fc2",
  width = last.bias.length,
): HeadParams {
  const toDevice = ({ kernel, bias }: PlainDense, units: number) => {
    const wide = (row: readonly number[]) => [...row, ...Array(units - row.length).fill(0)];
    return {
      kernel: matrix(kernel.map(wide)),
      bias: np.array(Float32Array.from(wide(bias))),
    };
  };
  return { img_fc1: toDevice(first, first.bias.length), [name]: toDevice(last, width) };
}

/** Puts rows on the device. */
export function matrix(rows: readonly (readonly number[])[]): np.Array {
  return np.array(Float32Array.from(rows.flat()), { shape: [rows.length, rows[0].length] });
}

/** Puts examples on the device. */
export function toBatch(
  { x, labels, weights }: Examples,
  objective: Pick<Objective, "targets">,
  units?: readonly (readonly number[])[],
): Batch {
  const targets = labels.map((label) => Array.from(objective.targets[label]));
  return {
    x: matrix(x),
    targets: matrix(targets),
    weights: np.array(Float32Array.from(weights)),
    ...(units && { units: matrix(units.map(unit)) }),
  };
}

/** No ReLU may change sides within a difference: inputs reach 2, so a step moves a sum by no more than 2e-5. */
export function assertNoKink(head: PlainHead, x: readonly (readonly number[])[]): void {
  for (const row of x) {
    assert.ok(beforeRelu(head, row).every((v) => Math.abs(v) > 5 * STEP), "a kink is near");
  }
}

/**
 * The largest relative error, `|gradient - difference| / |difference|` in the Euclidean norm, of any kernel or bias.
 *
 * @param head of the plain loss; its weights are changed and put back
 * @param loss of the head
 * @param gradients of the device, by layers in the head's order
 */
export function gradientError(head: PlainHead, loss: () => number, gradients: HeadParams): number {
  const differ = (numbers: number[]): number[] =>
    numbers.map((weight, i) => {
      numbers[i] = weight + STEP;
      const above = loss();
      numbers[i] = weight - STEP;
      const below = loss();
      numbers[i] = weight;
      return (above - below) / (2 * STEP);
    });
  const errors = Object.values(gradients).flatMap(({ kernel, bias }, layer) => {
    const width = bias.shape[0];
    const plain = head[layer];
    const units = plain.bias.length;
    const [wide, wideBias] = [kernel.dataSync(), bias.dataSync()];
    const rows = plain.kernel.map((_, i) => Array.from(wide.slice(i * width, i * width + units)));
    return [
      relativeError(rows.flat(), plain.kernel.flatMap(differ)),
      relativeError(Array.from(wideBias.slice(0, units)), differ(plain.bias)),
      // What is padding must stay 0.
      ...plain.kernel.map((_, i) => largest(wide.slice(i * width + units, (i + 1) * width))),
      largest(wideBias.slice(units)),
    ];
  });
  return Math.max(...errors);
}

function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
}

function relativeError(actual: readonly number[], expected: readonly number[]): number {
  assert.equal(actual.length, expected.length);
  const size = Math.hypot(...expected);
  assert.ok(size > 0, "there is no gradient to compare with");
  return Math.hypot(...actual.map((v, i) => v - expected[i])) / size;
}
