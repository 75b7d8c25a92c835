/**
 * A hash of what a picture looks like: 64 bits that mostly stay when it is scaled, compressed again or made a little
 * brighter, and that differ in about half of the bits between different pictures. Data sets that were collected from the web
 * have pictures in common, and what is trained on must not be measured on.
 *
 * The idea is that of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010): the signs
 * of the lowest frequencies of a small grey picture, against their median. Here: 32 x 32, by the project's own antialiased
 * resampler, and the 64 frequencies of the cosine transform next to the mean, which itself is left out.
 *
 * A picture of one colour has no frequencies: all such pictures have the hash 0, and look alike to it.
 */

import { type Picture, resampleAndCrop } from "@clip-e/shared";

const SIDE = 32;
const BITS = 64;

/** How many frequencies there are in each direction: those of zigzag order that are among the first 65. */
const FREQUENCIES = 11;

/** Frequencies `[across, down]` from low to high, diagonal by diagonal, without the mean. */
const ORDER: readonly (readonly [number, number])[] = Array.from(
  { length: FREQUENCIES ** 2 },
  (_, i) => [i % FREQUENCIES, Math.floor(i / FREQUENCIES)] as const,
).sort(([a, b], [c, d]) => a + b - c - d || a - c).slice(1, 1 + BITS);

/** `[FREQUENCIES, SIDE]`: the DCT-II's cosines, without its norm, which no sign depends on. */
const COSINES = Float64Array.from(
  { length: FREQUENCIES * SIDE },
  (_, i) => Math.cos(Math.PI * Math.floor(i / SIDE) * (2 * (i % SIDE) + 1) / (2 * SIDE)),
);

/** Less than this is rounding. */
const ROUNDING = 1e-6;

/**
 * A picture's perceptual hash.
 *
 * @param picture upright
 * @returns 64 bits
 */
export function perceptualHash(picture: Picture): bigint {
  const spectrum = transform(reduceToGrey(picture));
  const values = ORDER.map(([u, v]) => spectrum[v * FREQUENCIES + u]);
  const sorted = values.toSorted((a, b) => a - b);
  const median = (sorted[BITS / 2 - 1] + sorted[BITS / 2]) / 2;
  return values.reduce((hash, x) => hash << 1n | (x > median + ROUNDING ? 1n : 0n), 0n);
}

/** `[SIDE, SIDE]`, by the weights of ITU-R BT.601. */
function reduceToGrey(picture: Picture): Float64Array {
  const whole = { left: 0, top: 0, width: SIDE, height: SIDE };
  const rgb = resampleAndCrop(picture, SIDE, SIDE, whole, "bilinear");
  return Float64Array.from(
    { length: SIDE * SIDE },
    (_, i) => 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2],
  );
}

/** The low frequencies of a grey picture: `C · grey · C^T`, `[FREQUENCIES, FREQUENCIES]`, down by across. */
function transform(grey: Float64Array): Float64Array {
  const across = new Float64Array(SIDE * FREQUENCIES);
  for (let y = 0; y < SIDE; y++) {
    for (let u = 0; u < FREQUENCIES; u++) {
      let sum = 0;
      for (let x = 0; x < SIDE; x++) sum += grey[y * SIDE + x] * COSINES[u * SIDE + x];
      across[y * FREQUENCIES + u] = sum;
    }
  }
  const spectrum = new Float64Array(FREQUENCIES * FREQUENCIES);
  for (let v = 0; v < FREQUENCIES; v++) {
    for (let u = 0; u < FREQUENCIES; u++) {
      let sum = 0;
      for (let y = 0; y < SIDE; y++) sum += across[y * FREQUENCIES + u] * COSINES[v * SIDE + y];
      spectrum[v * FREQUENCIES + u] = sum;
    }
  }
  return spectrum;
}
