/**
 * The dense layer: the one building block of both CLIP-E heads. Plain loops on typed arrays, so that the same code
 * runs wherever JavaScript does.
 */

/** A dense layer, `y = x · kernel + bias`. */
export interface Dense {
  /** Length of the input vector. */
  readonly inputs: number;
  /** Length of the output vector. */
  readonly units: number;
  /** `[inputs, units]`, row-major, as Keras and the published CLIP-E weights have it. */
  readonly kernel: Float32Array;
  /** `[units]`. */
  readonly bias: Float32Array;
}

/**
 * Applies a dense layer to one vector.
 *
 * @param layer the layer
 * @param x `[layer.inputs]`
 * @returns `[layer.units]`, summed in double precision
 * @throws {RangeError} when `x` has another length than the layer takes
 */
export function applyDense(layer: Dense, x: ArrayLike<number>): Float64Array {
  if (x.length !== layer.inputs) {
    throw new RangeError(
      `Cannot apply a dense layer: it takes ${layer.inputs} numbers, got ${x.length}`,
    );
  }
  const { units, kernel } = layer;
  const y = Float64Array.from(layer.bias);
  for (let i = 0; i < layer.inputs; i++) {
    const xi = x[i];
    if (xi === 0) continue;
    const row = i * units;
    for (let j = 0; j < units; j++) y[j] += xi * kernel[row + j];
  }
  return y;
}
