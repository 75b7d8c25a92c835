/**
 * Tensors as ONNX Runtime takes them, whichever of its packages runs the model.
 */

import type { InputTensor } from "./backend.ts";

/**
 * Makes a run's inputs.
 *
 * @param Tensor of the package
 * @param inputs by their names
 */
export function makeFeeds<T>(
  Tensor: new (
    type: InputTensor["type"],
    data: Float32Array | BigInt64Array,
    dims: readonly number[],
  ) => T,
  inputs: Readonly<Record<string, InputTensor>>,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { type, data, dims }]) => [
      name,
      new Tensor(type, data, dims),
    ]),
  );
}
