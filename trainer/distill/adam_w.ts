/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101) on one long vector, with a limit to the gradient's norm and a running average
 * of the weights, which is what is served.
 */

/** What learns, and what is remembered of its steps; each `[P]`. */
export interface AdamState {
  /** What learns. */
  readonly parameters: Float32Array;
  /** Their average over steps. */
  readonly average: Float32Array;
  /** Of the gradient, its average. */
  readonly mean: Float32Array;
  /** Of its square. */
  readonly square: Float32Array;
}

/** Of one step. */
export interface AdamStep {
  /** From 0. */
  readonly number: number;
  /** Its size. */
  readonly rate: number;
  /** The share of a number that a step of size 1 would take away. */
  readonly decay: number;
  /** How many numbers decay: the first ones. */
  readonly decaying: number;
}

const [BETA1, BETA2, EPSILON] = [0.9, 0.99, 1e-8];
/** The largest norm of a gradient: a larger one is made so. */
export const MAX_NORM = 1;
/** The share of itself that the average keeps in a step, at most. */
const KEPT = 0.999;

/**
 * The state before the first step.
 *
 * @param parameters as they are drawn
 */
export function firstState(parameters: Float32Array): AdamState {
  const zeros = () => new Float32Array(parameters.length);
  return { parameters, average: parameters.slice(), mean: zeros(), square: zeros() };
}

/**
 * Takes a step.
 *
 * @param state changed
 * @param gradient `[P]`, or longer
 * @param step which
 */
export function takeStep(state: AdamState, gradient: Float32Array, step: AdamStep): void {
  const { parameters, average, mean, square } = state;
  const { number, rate, decay, decaying } = step;
  const count = parameters.length;
  let norm = 0;
  for (let i = 0; i < count; i++) norm += gradient[i] * gradient[i];
  const factor = Math.min(1, MAX_NORM / Math.sqrt(norm));
  const correction1 = 1 / (1 - BETA1 ** (number + 1));
  const correction2 = 1 / (1 - BETA2 ** (number + 1));
  // At first an average over few steps: it is not to remember how the numbers were drawn.
  const kept = Math.min(KEPT, (1 + number) / (10 + number));
  for (let i = 0; i < count; i++) {
    const g = factor * gradient[i];
    const m = mean[i] = BETA1 * mean[i] + (1 - BETA1) * g;
    const v = square[i] = BETA2 * square[i] + (1 - BETA2) * g * g;
    const adam = m * correction1 / (Math.sqrt(v * correction2) + EPSILON);
    const before = parameters[i];
    const after = before - rate * (adam + (i < decaying ? decay * before : 0));
    parameters[i] = after;
    average[i] = after + kept * (average[i] - after);
  }
}
