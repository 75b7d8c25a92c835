/**
 * What a student is: parameters, what weights these make, and what the weights make of pixels. The two steps are apart because
 * a finished encoder holds weights alone: what makes them, such as standardisation, is computed once, when it is written.
 */

import type { Random } from "../random.ts";
import { add, mean, multiply } from "./graph/elementwise.ts";
import { matmul, reshape, transpose } from "./graph/matrices.ts";
import type { Tape, Value } from "./graph/tape.ts";
import { regionWeights } from "./regions.ts";

/** Numbers that are learned. */
export interface Parameter {
  /** No two of a student are the same. */
  readonly name: string;
  /** Its lengths. */
  readonly shape: readonly number[];
  /** Gives its first numbers, one after another. */
  readonly draw: (random: Random, index: number) => number;
  /** Whether weight decay makes it smaller. */
  readonly decays: boolean;
}

/** Values by name. */
export type Values = Readonly<Record<string, Value>>;

/** Mean and deviation of each of the teacher's features. */
export interface FeatureScale {
  /** `[D]`. */
  readonly mean: Float32Array;
  /** `[D]`, above 0. */
  readonly deviation: Float32Array;
}

/** A network that learns to see as its teacher does. */
export interface Student {
  /** S: side of its input, in pixels. */
  readonly size: number;
  /** What it learns, in an order that does not change. */
  readonly parameters: readonly Parameter[];
  /**
   * Makes weights of parameters.
   *
   * @param tape written to
   * @param parameters by name
   * @returns by name
   */
  weights(tape: Tape, parameters: Values): Values;
  /**
   * Makes embeddings of pixels: of as many regions as are asked for, or of the whole, which is their mean.
   *
   * @param tape written to
   * @param weights by name
   * @param pixels `[B, 3, S, S]`, normalised
   * @param side regions in a row, and rows of them
   * @returns `[B, side², D]`
   */
  embed(tape: Tape, weights: Values, pixels: Value, side: number): Value;
}

/**
 * Means over regions.
 *
 * @param tape written to
 * @param places `[B, E, H, W]`
 * @param side regions in a row, and rows of them
 * @returns `[B, side², E]`
 */
export function meanOfPlaces(tape: Tape, places: Value, side: number): Value {
  const [batch, channels, height, width] = places.shape;
  if (side === 1) return reshape(tape, mean(tape, places, [2, 3]), [batch, 1, channels]);
  const flat = reshape(tape, places, [batch, channels, height * width]);
  const shares = regionWeights(height, width, side);
  const means = matmul(tape, flat, tape.constant([height * width, side ** 2], shares));
  return transpose(tape, means, [0, 2, 1]);
}

/** The last layer of a student that makes other numbers than its teacher. */
export interface Head {
  /** What it learns. */
  readonly parameters: readonly Parameter[];
  /** Makes its weights of these. */
  weights(tape: Tape, parameters: Values): Values;
  /** Applies it to rows, `[..., E]` to `[..., D]`. */
  apply(tape: Tape, weights: Values, rows: Value): Value;
}

const [KERNEL, BIAS] = ["head.kernel", "head.bias"];

/**
 * A dense layer that learns standardised features, and gives them in the teacher's scale.
 *
 * @param inputs E
 * @param scale of the teacher
 */
export function makeHead(inputs: number, { mean, deviation }: FeatureScale): Head {
  const units = mean.length;
  const draw = normal(1 / Math.sqrt(inputs));
  return {
    parameters: [
      { name: KERNEL, shape: [inputs, units], draw, decays: true },
      { name: BIAS, shape: [units], draw: zeros, decays: false },
    ],
    weights(tape, given) {
      const factor = tape.constant([units], deviation);
      const bias = multiply(tape, given[BIAS], factor);
      return {
        [KERNEL]: multiply(tape, given[KERNEL], factor),
        [BIAS]: add(tape, bias, tape.constant([units], mean)),
      };
    },
    apply: (tape, weights, rows) => add(tape, matmul(tape, rows, weights[KERNEL]), weights[BIAS]),
  };
}

/** Draws zeros. */
export const zeros = (): number => 0;

/** Draws ones. */
export const ones = (): number => 1;

/** Draws from the normal distribution. */
export function normal(deviation: number): (random: Random) => number {
  return (random) => deviation * random.normal();
}
