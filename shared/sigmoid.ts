/**
 * Logits to scores that stand alone.
 */

/**
 * The logistic function, computed from the side where it does not overflow.
 *
 * @param logits `[K]`
 * @returns `[K]`, each in 0..1 by its own logit alone, so that they do not sum to 1
 */
export function sigmoid(logits: ArrayLike<number>): Float64Array {
  return Float64Array.from(logits, (z) => {
    const small = Math.exp(-Math.abs(z));
    return (z < 0 ? small : 1) / (1 + small);
  });
}
