/**
 * Vectors of length 1: what cosines are taken of.
 */

/**
 * Divides a vector by its length.
 *
 * @param x `[D]`
 * @returns `[D]`, of length 1; zeros, which have no direction, stay zeros
 */
export function unitVector(x: ArrayLike<number>): Float64Array {
  let square = 0;
  for (let i = 0; i < x.length; i++) square += x[i] * x[i];
  const inverse = square > 0 ? 1 / Math.sqrt(square) : 0;
  return Float64Array.from(x, (v) => v * inverse);
}
