/**
 * The dense layers that both heads are made of, on the device. By jax-js's convention a function consumes the arrays that
 * it is given: pass `.ref` (`tree.ref`) to keep one.
 *
 * A layer may have more units there than the head has: jax-js multiplies matrices in WebAssembly's vectors of four, and is
 * up to thirty times slower on a number of columns that these do not divide. What is padding stays 0 throughout.
 */

import type { Dense } from "@clip-e/shared";
import { numpy as np } from "@jax-js/jax";
import type { Random } from "../random.ts";

/** A dense layer on the device. A type, not an interface: jax-js trees need an index signature. */
export type DenseParams = {
  /** `[inputs, units]`. */
  kernel: np.Array;
  /** `[units]`. */
  bias: np.Array;
};

/** How first weights are drawn: He's normal, Glorot's uniform (what Keras's Dense does), or all 0. */
export type Initializer = "he" | "glorot" | "zeros";

const LANES = 4;

/**
 * The next multiple of four.
 *
 * @param units of a layer
 */
export function padUnits(units: number): number {
  return LANES * Math.ceil(units / LANES);
}

/**
 * `x · kernel + bias`.
 *
 * @param layer consumed
 * @param x `[B, inputs]`; consumed
 * @returns `[B, units]`
 */
export function dense({ kernel, bias }: DenseParams, x: np.Array): np.Array {
  return np.dot(x, kernel).add(bias);
}

/**
 * First weights: a kernel by the initializer, and biases of 0.
 *
 * @param inputs of the layer
 * @param units that the head has
 * @param initializer how the kernel is drawn
 * @param random from which
 * @param width units on the device, as many as the head's or more
 */
export function firstLayer(
  inputs: number,
  units: number,
  initializer: Initializer,
  random: Random,
  width = units,
): DenseParams {
  const he = Math.sqrt(2 / inputs); // arXiv 1502.01852
  const glorot = Math.sqrt(6 / (inputs + units)); // Glorot and Bengio, AISTATS 2010
  const draw = {
    he: () => random.normal() * he,
    glorot: () => (2 * random.next() - 1) * glorot,
    zeros: () => 0,
  }[initializer];
  const kernel = new Float32Array(inputs * width);
  for (let i = 0; i < inputs; i++) {
    for (let j = 0; j < units; j++) kernel[i * width + j] = draw();
  }
  return { kernel: np.array(kernel, { shape: [inputs, width] }), bias: np.zeros([width]) };
}

/**
 * A layer without its padding.
 *
 * @param layer as on the device
 * @param units that the head has
 */
export function narrow({ inputs, units: width, kernel, bias }: Dense, units: number): Dense {
  if (units === width) return { inputs, units, kernel, bias };
  const narrower = new Float32Array(inputs * units);
  for (let i = 0; i < inputs; i++) {
    narrower.set(kernel.subarray(i * width, i * width + units), i * units);
  }
  return { inputs, units, kernel: narrower, bias: bias.slice(0, units) };
}
