/**
 * Whether two methods differ by more than chance on the same pictures: McNemar's test (1947) on those that only one of them
 * has right. Exact, by the binomial distribution, so that few pictures are no trouble; many are none either.
 */

/**
 * McNemar's exact test, two-sided: were both methods equally good, each picture that only one has right would be a fair
 * coin's throw, and p the chance of a split as uneven as this or more so.
 *
 * @param onlyFirst pictures that only the first has right
 * @param onlySecond pictures that only the second has right
 * @returns p, 0 to 1; 0 where it is below the smallest number
 * @throws {RangeError} when a count is not a whole number from 0
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  for (const count of [onlyFirst, onlySecond]) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`Cannot compare methods: ${count} is not a number of pictures`);
    }
  }
  const n = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  // The terms of the tail, C(n, k) / 2^n for k from `fewer` down to 0, as parts of the largest, the first.
  let tail = 0;
  for (let k = fewer, part = 1; k >= 0 && part > Number.EPSILON * tail; k--) {
    tail += part;
    part *= k / (n - k + 1);
  }
  return Math.min(1, 2 * Math.exp(logChoose(n, fewer) - n * Math.LN2) * tail);
}

/** The logarithm of the number of ways to choose k of n. */
function logChoose(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
}
