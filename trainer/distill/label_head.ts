/**
 * What makes an embedding keep what labels need, where the teacher's features would not: a linear layer on the student's
 * standardised embedding learns the labels at the same time as the student follows the teacher. It is thrown away at the end.
 */

import { add, mean, multiply, scale as times, subtract } from "./graph/elementwise.ts";
import { logSoftmax, matmul, reshape } from "./graph/matrices.ts";
import type { Tape, Value } from "./graph/tape.ts";
import { type FeatureScale, type Parameter, type Values, zeros } from "./student.ts";

/** The layer. */
export interface LabelHead {
  /** What it learns. None decays, so that in the vector of all parameters they stand behind the student's. */
  readonly parameters: readonly Parameter[];
  /**
   * Measures how unlikely it finds the labels.
   *
   * @param tape written to
   * @param given its parameters by name
   * @param seen `[B, R, D]`, what the student makes of regions
   * @param targets `[B, K]`: 1 for a view's label; zeros all along for a view without one
   * @returns cross-entropy, summed over views and divided by B, so that a batch with few labels weighs little
   */
  loss(tape: Tape, given: Values, seen: Value, targets: Value): Value;
  /**
   * Tells the label that it finds most likely.
   *
   * @param numbers its parameters, in their order
   * @param embedding `[D]`
   * @returns from 0 to K - 1
   */
  choose(numbers: Float32Array, embedding: Float32Array): number;
}

const [KERNEL, BIAS] = ["labels.kernel", "labels.bias"];

/**
 * Makes it. At first it finds all labels equally likely.
 *
 * @param labels K
 * @param scale of the teacher's features, which the student's come to have
 */
export function makeLabelHead(
  labels: number,
  { mean: centre, deviation }: FeatureScale,
): LabelHead {
  const dimensions = centre.length;
  return {
    parameters: [
      { name: KERNEL, shape: [dimensions, labels], draw: zeros, decays: false },
      { name: BIAS, shape: [labels], draw: zeros, decays: false },
    ],
    loss(tape, given, seen, targets) {
      const embedding = reshape(tape, mean(tape, seen, [1]), [seen.shape[0], dimensions]);
      const centred = subtract(tape, embedding, tape.constant([dimensions], centre));
      const units = tape.constant([dimensions], deviation.map((x) => 1 / x));
      const standardised = multiply(tape, centred, units);
      const logits = add(tape, matmul(tape, standardised, given[KERNEL]), given[BIAS]);
      const likelihoods = multiply(tape, logSoftmax(tape, logits), targets);
      // The mean over B * K numbers, of which a view has K.
      return times(tape, mean(tape, likelihoods, [0, 1]), -labels);
    },
    choose(numbers, embedding) {
      const logits = numbers.slice(dimensions * labels);
      embedding.forEach((x, d) => {
        const feature = (x - centre[d]) / deviation[d];
        for (let k = 0; k < labels; k++) logits[k] += feature * numbers[d * labels + k];
      });
      return logits.indexOf(Math.max(...logits));
    },
  };
}
