/**
 * Training is faster and steadier on inputs of mean 0 and deviation 1. The served head takes the raw
 * embedding, so what was done to the inputs is folded into its first layer.
 */

import type { Dense } from "@clip-e/shared";

/** How to standardise: `(x - mean) * scale`, feature by feature. */
export interface Standardizer {
  /** `[D]`. */
  readonly mean: Float64Array;
  /** `[D]`: 1 / deviation, or 0 for a feature that did not vary, of which nothing can be learnt. */
  readonly scale: Float64Array;
}

/**
 * Folds the standardisation into the layer that follows it:
 * `((x - mean) * scale) · W + b = x · (scale * W) + (b - (mean * scale) · W)`.
 *
 * @param standardizer of `[D]`
 * @param layer `[D, H]`, trained on standardised inputs
 * @returns a layer that gives the same for raw inputs
 */
export function foldStandardizer({ mean, scale }: Standardizer, layer: Dense): Dense {
  const { inputs, units } = layer;
  const kernel = new Float32Array(inputs * units);
  const bias = Float64Array.from(layer.bias);
  for (let i = 0; i < inputs; i++) {
    for (let j = 0; j < units; j++) {
      const folded = scale[i] * layer.kernel[i * units + j];
      kernel[i * units + j] = folded;
      bias[j] -= mean[i] * folded;
    }
  }
  return { inputs, units, kernel, bias: Float32Array.from(bias) };
}
