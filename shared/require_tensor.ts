/**
 * Tensors that a bundle must have, as it must have them; how a bundle's readers say that it cannot be used.
 */

import { ClipEError } from "./errors.ts";
import type { Tensor } from "./safetensors.ts";

/**
 * A tensor of the expected shape whose numbers are all finite.
 *
 * @param tensors of a file
 * @param name of the tensor
 * @param shape expected
 * @throws {ClipEError} `invalid-bundle`, when there is no such tensor
 */
export function requireTensor(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  shape: readonly number[],
): Float32Array {
  const found = tensors.get(name);
  if (!found) throw unusable(`there is no tensor ${name}`);
  if (found.shape.join() !== shape.join()) {
    throw unusable(`${name} has the shape [${found.shape}], expected [${shape}]`);
  }
  if (!found.data.every(Number.isFinite)) {
    throw unusable(`${name} holds a number that is not finite`);
  }
  return found.data;
}

/**
 * The error for a bundle that cannot be used.
 *
 * @param why the end of the sentence
 * @param cause the error behind it
 */
export function unusable(why: string, cause?: unknown): ClipEError {
  return new ClipEError("invalid-bundle", `Cannot use the bundle: ${why}`, { cause });
}
