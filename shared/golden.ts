/**
 * The golden input: a picture described by a formula, whose embedding a bundle carries, so that every session of an
 * encoder can prove itself before it serves.
 */

import { normalize, type Preprocessing } from "./preprocess.ts";

/**
 * The input `waves-1`: in each channel a wave of its own, from slow to fast, so that every part of an encoder has
 * something to see.
 *
 * @param spec the encoder's preprocessing, S = `spec.crop`
 * @returns `[3, S, S]`
 */
export function goldenInput(spec: Pick<Preprocessing, "crop" | "mean" | "std">): Float32Array {
  const { crop } = spec;
  const rgb = new Uint8Array(crop * crop * 3);
  for (let y = 0, i = 0; y < crop; y++) {
    for (let x = 0; x < crop; x++) {
      const u = x / crop;
      const v = y / crop;
      // Rounded to a multiple of 8 so that no platform's sine can tip a value over.
      for (const phase of [u * u * 9 + v, v * v * 11 - u, (u + v) * 5 + u * v * 7]) {
        rgb[i++] = Math.round(15.5 + 15.5 * Math.sin(2 * Math.PI * phase)) * 8;
      }
    }
  }
  return normalize(rgb, spec);
}

/**
 * How far an embedding lies from the expected one.
 *
 * @param actual `[D]`
 * @param expected `[D]`
 * @returns the norm of the difference over the norm of `expected`; infinite when sizes differ or a number is not finite
 */
export function relativeDistance(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  const distance = Math.sqrt(difference / norm);
  return Number.isFinite(distance) ? distance : Infinity;
}
