/**
 * Scores that mean what they say: of the pictures scored 0.8, eight in ten should have the label.
 * Dividing the logits by a temperature (Guo et al., arXiv 1706.04599) changes no ranking, so it costs no
 * accuracy.
 */

/** Cosines want a temperature near 0.01, logits one near 1; nothing wants one beyond these. */
const COLDEST = 1e-3;
const HOTTEST = 1e3;

/**
 * Finds the temperature under which examples are likeliest, by golden-section search; the loss has one
 * minimum. One more example's worth of doubt is spread over all labels, so that a few examples which are
 * all right do not make every score 1.
 *
 * @param logits per example, `[K]`
 * @param targets per example, its label
 * @returns the temperature, 0.001 to 1000
 * @throws {RangeError} when there are no examples
 */
export function fitTemperature(
  logits: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
): number {
  if (logits.length === 0) throw new RangeError("Cannot fit a temperature: there are no examples");
  const doubt = 1 / (logits.length + 1);
  const loss = (logTemperature: number) => {
    const inverse = Math.exp(-logTemperature);
    let sum = 0;
    for (const [i, z] of logits.entries()) {
      const mean = (1 - doubt) * z[targets[i]] + doubt * average(z);
      sum += logSumExp(z, inverse) - inverse * mean;
    }
    return sum;
  };
  return Math.exp(goldenSection(loss, Math.log(COLDEST), Math.log(HOTTEST)));
}

/**
 * How far scores are from what they claim: the mean distance between confidence (the top score) and
 * accuracy, over bins of equal width in confidence, each bin counting as much as it has examples.
 *
 * @param scores per example, `[K]`, summing to 1
 * @param targets per example, its label
 * @param bins how many
 * @returns 0 (calibrated) to 1; 0 without examples
 */
export function expectedCalibrationError(
  scores: readonly ArrayLike<number>[],
  targets: ArrayLike<number>,
  bins = 15,
): number {
  const surplus = new Float64Array(bins); // confidence less accuracy, summed
  for (const [i, score] of scores.entries()) {
    const top = topLabel(score);
    const bin = Math.min(bins - 1, Math.floor(score[top] * bins));
    surplus[bin] += score[top] - (top === targets[i] ? 1 : 0);
  }
  return surplus.reduce((sum, x) => sum + Math.abs(x), 0) / Math.max(1, scores.length);
}

/**
 * The label that scores highest, the first of equals.
 *
 * @param scores `[K]`, scores or logits
 */
export function topLabel(scores: ArrayLike<number>): number {
  let top = 0;
  for (let k = 1; k < scores.length; k++) if (scores[k] > scores[top]) top = k;
  return top;
}

/** `log Σ exp(inverse z)`, against the largest, so that it never overflows. */
function logSumExp(z: ArrayLike<number>, inverse: number): number {
  const largest = z[topLabel(z)];
  let sum = 0;
  for (let k = 0; k < z.length; k++) sum += Math.exp(inverse * (z[k] - largest));
  return inverse * largest + Math.log(sum);
}

function average(z: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < z.length; k++) sum += z[k];
  return sum / z.length;
}

/** Where a function with one minimum has it, to 1e-6. */
function goldenSection(f: (x: number) => number, low: number, high: number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let left = high - golden * (high - low);
  let right = low + golden * (high - low);
  let fLeft = f(left);
  let fRight = f(right);
  while (high - low > 1e-6) {
    if (fLeft < fRight) {
      [high, right, fRight] = [right, left, fLeft];
      left = high - golden * (high - low);
      fLeft = f(left);
    } else {
      [low, left, fLeft] = [left, right, fRight];
      right = low + golden * (high - low);
      fRight = f(right);
    }
  }
  return (low + high) / 2;
}
