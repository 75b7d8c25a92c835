/**
 * What a head sees of an embedding while it learns: the embedding as it comes or divided by its length, and standardised
 * or not. The served head does the division itself; the standardisation is folded into its first layer.
 */

import type { Dense, HeadInput } from "@clip-e/shared";
import { foldStandardizer, type Standardizer } from "./standardize.ts";

/** Which inputs, of which rows. */
export interface InputOptions {
  /** `[N, D]`, row-major, finite numbers. */
  readonly embeddings: Float32Array;
  /** D. */
  readonly size: number;
  /** The embedding as it comes, or divided by its length. */
  readonly input: HeadInput;
  /** Rows to measure, so that these get mean 0 and deviation 1; without, inputs are not standardised. */
  readonly standardizeBy: ArrayLike<number> | undefined;
}

/** A deviation that is this much of a feature's largest value is rounding, not variation. */
const ROUNDING = 1e-6;

/** Makes inputs of embeddings, one row at a time. */
export class Inputs {
  readonly #embeddings: Float32Array;
  readonly #size: number;
  readonly #unit: boolean;
  readonly #standardizer: Standardizer | undefined;

  /**
   * Measures what has to be measured.
   *
   * @param options which inputs
   */
  constructor({ embeddings, size, input, standardizeBy }: InputOptions) {
    this.#embeddings = embeddings;
    this.#size = size;
    this.#unit = input === "unit";
    if (standardizeBy) this.#standardizer = this.#measure(standardizeBy);
  }

  /**
   * Writes an example's inputs.
   *
   * @param row the example
   * @param out written to
   * @param at where in `out` its D numbers go
   */
  write(row: number, out: Float32Array, at: number): void {
    if (this.#unit) this.writeUnit(row, out, at);
    else out.set(this.#embeddings.subarray(row * this.#size, (row + 1) * this.#size), at);
    if (!this.#standardizer) return;
    const { mean, scale } = this.#standardizer;
    for (let d = 0; d < this.#size; d++) out[at + d] = (out[at + d] - mean[d]) * scale[d];
  }

  /**
   * Writes an embedding divided by its length; one of zeros, which has no direction, stays so.
   *
   * @param row the example
   * @param out written to
   * @param at where in `out` its D numbers go
   */
  writeUnit(row: number, out: Float32Array, at: number): void {
    const from = row * this.#size;
    let square = 0;
    for (let d = 0; d < this.#size; d++) square += this.#embeddings[from + d] ** 2;
    const inverse = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let d = 0; d < this.#size; d++) out[at + d] = this.#embeddings[from + d] * inverse;
  }

  /**
   * Lets a layer that learnt on these inputs take embeddings that are not standardised.
   *
   * @param layer `[D, H]`
   */
  fold(layer: Dense): Dense {
    return this.#standardizer ? foldStandardizer(this.#standardizer, layer) : layer;
  }

  #measure(rows: ArrayLike<number>): Standardizer {
    const row = new Float32Array(this.#size);
    const mean = new Float64Array(this.#size);
    const largest = new Float64Array(this.#size);
    for (let i = 0; i < rows.length; i++) {
      this.write(rows[i], row, 0);
      for (let d = 0; d < row.length; d++) {
        mean[d] += row[d];
        largest[d] = Math.max(largest[d], Math.abs(row[d]));
      }
    }
    for (let d = 0; d < mean.length; d++) mean[d] /= rows.length;
    const variance = new Float64Array(this.#size);
    for (let i = 0; i < rows.length; i++) {
      this.write(rows[i], row, 0);
      for (let d = 0; d < row.length; d++) variance[d] += (row[d] - mean[d]) ** 2;
    }
    const scale = variance.map((sum, d) => {
      const deviation = Math.sqrt(sum / rows.length);
      return deviation > ROUNDING * largest[d] ? 1 / deviation : 0;
    });
    return { mean, scale };
  }
}
