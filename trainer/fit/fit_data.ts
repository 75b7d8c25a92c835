/**
 * What a head is fitted to, checked before the work begins.
 */

import { TrainerError } from "../errors.ts";

/** Examples of one taxonomy. */
export interface FitData {
  /** `[N, D]`, row-major, unnormalised, as the head will be served them. Read in place, never copied as a whole. */
  readonly embeddings: Float32Array;
  /** D. */
  readonly size: number;
  /** `[N]`: each example's label, a whole number below `classes`. */
  readonly targets: Int32Array;
  /** K, 2 or more. */
  readonly classes: number;
}

/**
 * Checks examples.
 *
 * @param data embeddings and labels
 * @param train indices of the examples to learn from
 * @param validation indices of the examples that stop the training
 * @throws {RangeError} when sizes or labels do not fit
 * @throws {TrainerError} when an embedding is not of finite numbers
 */
export function checkData(
  data: FitData,
  train: readonly number[],
  validation: readonly number[],
): void {
  const { embeddings, size, targets, classes } = data;
  if (embeddings.length !== targets.length * size) {
    throw new RangeError(
      `Cannot fit a head: ${targets.length} examples of ${size} numbers do not make ` +
        `${embeddings.length} numbers`,
    );
  }
  if (!(classes >= 2)) {
    throw new RangeError(`Cannot fit a head to ${classes} labels: give 2 or more`);
  }
  for (const [part, rows] of Object.entries({ train, validation })) {
    if (rows.length === 0) throw new RangeError(`Cannot fit a head: no example is for ${part}`);
    for (const row of rows) {
      const target = targets[row];
      if (target === undefined) {
        throw new RangeError(`Cannot fit a head: example ${row} of ${part} does not exist`);
      }
      if (target < 0 || target >= classes) {
        throw new RangeError(
          `Cannot fit a head to ${classes} labels: example ${row} has label ${target}`,
        );
      }
      checkEmbedding(data, row);
    }
  }
}

function checkEmbedding({ embeddings, size }: FitData, row: number): void {
  for (let d = 0; d < size; d++) {
    const x = embeddings[row * size + d];
    if (Number.isFinite(x)) continue;
    throw new TrainerError(
      `Cannot fit a head to the embedding of example ${row}: its number ${d} is ${x}. Check the ` +
        "encoder, or leave the picture out",
    );
  }
}

/**
 * How much an example of each label counts: 1 on average over the training examples.
 *
 * @param data the labels
 * @param train indices of the examples to learn from
 * @param kind `balanced` lets each label count the same, however many examples it has
 * @returns `[K]`
 */
export function labelWeights(
  { targets, classes }: FitData,
  train: readonly number[],
  kind: "balanced" | "none",
): Float64Array {
  if (kind === "none") return new Float64Array(classes).fill(1);
  const counts = new Float64Array(classes);
  for (const row of train) counts[targets[row]]++;
  const present = counts.filter((count) => count > 0).length;
  return counts.map((count) => count > 0 ? train.length / (present * count) : 0);
}
