/**
 * Examples on their way to the device: a step takes its rows out of the one matrix that holds all embeddings, so that
 * nothing is ever held twice but a batch.
 */

import { numpy as np } from "@jax-js/jax";
import type { Random } from "../random.ts";
import type { Inputs } from "./inputs.ts";
import type { Objective } from "./objective.ts";

/** Examples on the device. A type, not an interface: jax-js trees need an index signature. */
export type Batch = {
  /** Inputs, `[B, D]`. */
  x: np.Array;
  /** How much of each example belongs to each column of the head's output, `[B, C]`: rows sum to 1. */
  targets: np.Array;
  /** How much each example counts, `[B]`. */
  weights: np.Array;
  /** Embeddings divided by their length, `[B, D]`, where the loss asks for them. */
  units?: np.Array;
};

/** What batches are made of. */
export interface BatchOptions {
  /** Of the examples. */
  readonly inputs: Inputs;
  /** D. */
  readonly size: number;
  /** `[N]`: each example's label. */
  readonly targets: Int32Array;
  /** B: each batch has so many rows, as another number would be compiled anew. */
  readonly batchSize: number;
  /** `[K]`: how much an example of each label counts. */
  readonly weights: ArrayLike<number>;
  /** Says what an example of each label should score, and whether batches have `units`. */
  readonly objective: Pick<Objective, "targets" | "units">;
}

/** Inputs to be hidden from a step. */
export interface Dropout {
  /** The share of them; the others grow to make up for it. */
  readonly share: number;
  /** Which, by chance. */
  readonly random: Random;
}

/** Puts examples on the device. */
export class BatchSource {
  readonly #options: BatchOptions;
  readonly #x: Float32Array<ArrayBuffer>;

  /**
   * Prepares a buffer.
   *
   * @param options what batches are made of
   */
  constructor(options: BatchOptions) {
    this.#options = options;
    this.#x = new Float32Array(options.batchSize * options.size);
  }

  /** B. */
  get batchSize(): number {
    return this.#options.batchSize;
  }

  /**
   * What an example should score, and how much it counts.
   *
   * @param row the example
   * @returns `[C]` and a number
   */
  label(row: number): { target: Float32Array; weight: number } {
    const { targets, weights, objective } = this.#options;
    const label = targets[row];
    return { target: objective.targets[label], weight: weights[label] };
  }

  /**
   * Takes examples.
   *
   * @param rows which, at most B; zeros of weight 0 fill the batch up
   * @param dropout hides some of the inputs
   */
  take(rows: ArrayLike<number>, dropout?: Dropout): Batch {
    const { inputs, batchSize, objective } = this.#options;
    const columns = objective.targets[0].length;
    const targets = new Float32Array(batchSize * columns);
    const weights = new Float32Array(batchSize);
    for (let i = 0; i < rows.length; i++) {
      const { target, weight } = this.label(rows[i]);
      targets.set(target, i * columns);
      weights[i] = weight;
    }
    const batch: Batch = {
      x: this.#toDevice(rows, (row, at) => inputs.write(row, this.#x, at), dropout),
      targets: np.array(targets, { shape: [batchSize, columns] }),
      weights: np.array(weights),
    };
    if (!objective.units) return batch;
    return {
      ...batch,
      units: this.#toDevice(rows, (row, at) => inputs.writeUnit(row, this.#x, at)),
    };
  }

  /** The numbers are copied to the device at once, so one buffer serves all batches. */
  #toDevice(
    rows: ArrayLike<number>,
    write: (row: number, at: number) => void,
    dropout?: Dropout,
  ): np.Array {
    const { size, batchSize } = this.#options;
    for (let i = 0; i < rows.length; i++) write(rows[i], i * size);
    this.#x.fill(0, rows.length * size);
    if (dropout && dropout.share > 0) hide(this.#x, dropout);
    return np.array(this.#x, { shape: [batchSize, size] });
  }
}

function hide(x: Float32Array, { share, random }: Dropout): void {
  const growth = 1 / (1 - share);
  for (let i = 0; i < x.length; i++) x[i] = random.next() < share ? 0 : x[i] * growth;
}
