/**
 * Trees of arrays to tensors by name, and back: what a checkpoint holds.
 */

import type { Tensor } from "@clip-e/shared";
import { numpy as np, tree } from "@jax-js/jax";
import type { Arrays } from "./adam.ts";
import { TrainerError } from "../errors.ts";
import type { Device } from "./device.ts";

/**
 * Reads trees of arrays.
 *
 * @param trees by name; not consumed
 * @param device where they are
 * @returns each tree's arrays, numbered in the tree's order
 */
export async function toTensors(
  trees: Readonly<Record<string, Arrays>>,
  device: Device,
): Promise<Record<string, Tensor>> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, arrays] of Object.entries(trees)) {
    for (const [i, array] of tree.leaves<np.Array>(arrays).entries()) {
      tensors[`${name}.${i}`] = { shape: array.shape, data: await device.read(array.ref) };
    }
  }
  return tensors;
}

/**
 * Makes a tree of arrays.
 *
 * @param name of the tree
 * @param form a tree of the same form; consumed
 * @param tensors by name
 * @throws {TrainerError} when they are not of that form
 */
export function fromTensors<P extends Arrays>(
  name: string,
  form: P,
  tensors: Readonly<Record<string, Tensor>>,
): P {
  const [leaves, definition] = tree.flatten<np.Array>(form);
  const shapes = leaves.map(({ shape }) => shape);
  tree.dispose(form);
  const arrays = shapes.map((shape, i) => {
    const tensor = tensors[`${name}.${i}`];
    if (tensor?.shape.join() !== shape.join()) {
      throw new TrainerError(`Cannot read the checkpoint: its ${name}.${i} is of another shape`);
    }
    return np.array(Float32Array.from(tensor.data), { shape });
  });
  return tree.unflatten(definition, arrays) as P;
}
