/**
 * What a straight line through embeddings knows of a rating: ridge regression in its dual form, with the penalty chosen by
 * leaving out one training example at a time, for which ridge has a closed form.
 */

/** Times the mean squared length of an embedding. */
const PENALTIES = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

/**
 * Fits a line on some examples and reads it for all.
 *
 * @param gram of all pairs of embeddings `[N, N]`, their inner products
 * @param targets `[N]`
 * @param training which of the N the line is fitted to
 * @returns `[N]`
 */
export function probe(
  gram: Float64Array,
  targets: ArrayLike<number>,
  training: readonly number[],
): Float64Array {
  const all = targets.length;
  const n = training.length;
  const centred = centre(gram, all, training);
  const mean = training.reduce((sum, i) => sum + targets[i], 0) / n;
  const rest = Float64Array.from(training, (i) => targets[i] - mean);
  const trace = training.reduce((sum, i) => sum + centred[i * all + i], 0) / n;

  let best = { error: Infinity, weights: rest };
  for (const penalty of PENALTIES) {
    const inverse = invert(
      n,
      (a, b) => centred[training[a] * all + training[b]] + (a === b ? penalty * trace : 0),
    );
    const weights = new Float64Array(n);
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) weights[a] += inverse[a * n + b] * rest[b];
    }
    const error = weights.reduce((sum, w, a) => sum + (w / inverse[a * n + a]) ** 2, 0);
    if (error < best.error) best = { error, weights };
  }
  return Float64Array.from(
    { length: all },
    (_, i) => training.reduce((sum, j, b) => sum + best.weights[b] * centred[i * all + j], mean),
  );
}

/** Inner products of embeddings less the training examples' mean. */
function centre(gram: Float64Array, all: number, training: readonly number[]): Float64Array {
  const n = training.length;
  const means = Float64Array.from(
    { length: all },
    (_, i) => training.reduce((sum, j) => sum + gram[i * all + j], 0) / n,
  );
  const mean = training.reduce((sum, i) => sum + means[i], 0) / n;
  return gram.map((value, at) => value - means[Math.floor(at / all)] - means[at % all] + mean);
}

/** The inverse of a positive definite matrix, by Cholesky's factors. */
function invert(n: number, at: (a: number, b: number) => number): Float64Array {
  const factor = new Float64Array(n * n);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b <= a; b++) {
      let rest = at(a, b);
      for (let k = 0; k < b; k++) rest -= factor[a * n + k] * factor[b * n + k];
      factor[a * n + b] = a === b ? Math.sqrt(rest) : rest / factor[b * n + b];
    }
  }
  const inverse = new Float64Array(n * n);
  for (let unit = 0; unit < n; unit++) {
    const column = new Float64Array(n);
    for (let a = unit; a < n; a++) {
      let rest = a === unit ? 1 : 0;
      for (let k = unit; k < a; k++) rest -= factor[a * n + k] * column[k];
      column[a] = rest / factor[a * n + a];
    }
    for (let a = n - 1; a >= unit; a--) {
      let rest = column[a];
      for (let k = a + 1; k < n; k++) rest -= factor[k * n + a] * inverse[k * n + unit];
      inverse[a * n + unit] = inverse[unit * n + a] = rest / factor[a * n + a];
    }
  }
  return inverse;
}
