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

/** A deviation that is this much of a feature's largest value is rounding, not variation. */
const ROUNDING = 1e-6;

/**
 * Measures the mean and deviation of some rows.
 *
 * @param embeddings `[N, D]`, row-major, finite numbers
 * @param size D
 * @param rows which of the N to measure
 */
export function fitStandardizer(
  embeddings: Float32Array,
  size: number,
  rows: readonly number[],
): Standardizer {
  const mean = new Float64Array(size);
  const largest = new Float64Array(size);
  for (const row of rows) {
    for (let d = 0; d < size; d++) {
      const x = embeddings[row * size + d];
      mean[d] += x / rows.length;
      largest[d] = Math.max(largest[d], Math.abs(x));
    }
  }
  const variance = new Float64Array(size);
  for (const row of rows) {
    for (let d = 0; d < size; d++) {
      variance[d] += (embeddings[row * size + d] - mean[d]) ** 2 / rows.length;
    }
  }
  const scale = variance.map((v, d) => Math.sqrt(v) > ROUNDING * largest[d] ? 1 / Math.sqrt(v) : 0);
  return { mean, scale };
}

/**
 * Standardises one row.
 *
 * @param standardizer of `[D]`
 * @param embeddings `[N, D]`, row-major
 * @param row which of the N
 * @param out written to
 * @param at where in `out` the row's D numbers go
 */
export function standardizeRow(
  { mean, scale }: Standardizer,
  embeddings: Float32Array,
  row: number,
  out: Float32Array,
  at: number,
): void {
  const size = mean.length;
  for (let d = 0; d < size; d++) out[at + d] = (embeddings[row * size + d] - mean[d]) * scale[d];
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
