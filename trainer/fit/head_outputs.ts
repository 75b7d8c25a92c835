/**
 * What a head's last layer gives for many pictures: by matrix products on the device, where one picture at a time would take
 * minutes.
 */

import type { Dense, Head } from "@clip-e/shared";
import { jit, nn, numpy as np, tree } from "@jax-js/jax";
import { breather } from "../breather.ts";
import type { Device } from "./device.ts";
import { Inputs } from "./inputs.ts";
import { dense, type DenseParams, padUnits } from "./layers.ts";

/** Pictures at a time: another number would be compiled anew, so zeros fill up the last ones. */
const ROWS = 1024;

/** Whose pictures, and what computes. */
export interface HeadOutputOptions {
  /** `[N, D]`, row-major, unnormalised. */
  readonly embeddings: Float32Array;
  /** D. */
  readonly size: number;
  /** What computes. */
  readonly device: Device;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a head.
 *
 * @param head which
 * @param rows of the embeddings, in the order of visits
 * @param options whose
 * @param visit is given each row with its outputs, `[units of the last layer]`, which hold until it returns
 */
export async function visitOutputs(
  head: Head,
  rows: readonly number[],
  { embeddings, size, device, signal }: HeadOutputOptions,
  visit: (row: number, outputs: Float32Array) => void,
): Promise<void> {
  const last = head.kind === "cross-entropy" ? head.preds : head.img_fc2;
  const width = padUnits(last.units);
  const { input = "raw" } = head;
  const inputs = new Inputs({ embeddings, size, input, standardizeBy: undefined });
  const layers = [toDevice(head.img_fc1), toDevice(last, padUnits(head.img_fc1.units))];
  const forward = jit(([first, second]: DenseParams[], x: np.Array) =>
    dense(second, nn.relu(dense(first, x)))
  );
  const x = new Float32Array(ROWS * size);
  const breathe = breather(signal);
  try {
    for (let at = 0; at < rows.length; at += ROWS) {
      await breathe();
      const some = rows.slice(at, at + ROWS);
      some.forEach((row, i) => inputs.write(row, x, i * size));
      x.fill(0, some.length * size);
      const outputs = await device.read(
        forward(tree.ref(layers), np.array(x, { shape: [ROWS, size] })),
      );
      some.forEach((row, i) => visit(row, outputs.subarray(i * width, i * width + last.units)));
    }
  } finally {
    tree.dispose(layers);
    forward.dispose();
  }
}

/** A layer whose units are padded with zeros, and whose inputs are where those of the layer before are: see `layers.ts`. */
function toDevice({ inputs, units, kernel, bias }: Dense, height = inputs): DenseParams {
  const width = padUnits(units);
  const wide = new Float32Array(height * width);
  for (let i = 0; i < inputs; i++) {
    wide.set(kernel.subarray(i * units, (i + 1) * units), i * width);
  }
  const wideBias = new Float32Array(width);
  wideBias.set(bias);
  return { kernel: np.array(wide, { shape: [height, width] }), bias: np.array(wideBias) };
}
