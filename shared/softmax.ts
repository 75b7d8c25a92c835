/**
 * Logits to scores.
 */

/**
 * Softmax at a temperature, computed against the largest logit so that it never overflows.
 *
 * @param logits `[K]`
 * @param temperature above 0; 1 leaves the logits as they are
 * @returns `[K]`, positive, summing to 1
 * @throws {RangeError} when the temperature is not a positive number
 */
export function softmax(logits: ArrayLike<number>, temperature = 1): Float64Array {
  if (!(temperature > 0)) {
    throw new RangeError(`Cannot take a softmax at temperature ${temperature}: it must be above 0`);
  }
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]);
  const scores = Float64Array.from(logits, (v) => Math.exp((v - largest) / temperature));
  let sum = 0;
  for (const score of scores) sum += score;
  return scores.map((v) => v / sum);
}
