/**
 * How far a student's features are from its teacher's, as one number with a gradient.
 */

import { UsageError } from "@clip-e/shared/command-line";
import { add, mean, multiply, reciprocalRoot, scale, subtract } from "./graph/elementwise.ts";
import type { Tape, Value } from "./graph/tape.ts";

/** Ways to measure it: what each is, for help. */
export const FEATURE_LOSSES = {
  standardised: "squared errors, each feature's in units of its own deviation",
  mse: "squared errors, all in one unit",
  cosine: "one minus the cosine",
} as const;

/** One of them. */
export type FeatureLoss = keyof typeof FEATURE_LOSSES;

const NAMES = Object.keys(FEATURE_LOSSES) as FeatureLoss[];

/**
 * Finds a loss by the name that a user gave.
 *
 * @param name one of {@linkcode FEATURE_LOSSES}
 * @throws {UsageError} when there is none of this name
 */
export function findFeatureLoss(name: string): FeatureLoss {
  const loss = NAMES.find((known) => known === name);
  if (loss) return loss;
  throw new UsageError(`--loss must be ${NAMES.join(", ")}, and not ${JSON.stringify(name)}`);
}

/** Of squared lengths, before roots are taken: that of an embedding of zeros has no slope. */
const LEAST_SQUARE = 1e-12;

/** Features of regions, the student's and the teacher's, `[B, R, D]` each. */
type Pair = readonly [seen: Value, features: Value];

/**
 * Measures how far embeddings are off, on average over a batch, and where pictures have regions, how far theirs are, too: then
 * it is the sum of both.
 *
 * @param tape written to
 * @param name of the loss
 * @param pair features of regions, the student's and the teacher's
 * @param deviation `[D]`, of the teacher's features
 * @returns one number
 */
export function featureLoss(
  tape: Tape,
  name: FeatureLoss,
  pair: Pair,
  deviation: Float32Array,
): Value {
  const measure = measureOf(tape, name, deviation);
  const [seen, features] = pair;
  const whole = measure([mean(tape, seen, [1]), mean(tape, features, [1])]);
  return seen.shape[1] === 1 ? whole : add(tape, whole, measure(pair));
}

function measureOf(tape: Tape, name: FeatureLoss, deviation: Float32Array): (pair: Pair) => Value {
  if (name === "cosine") return (pair) => cosineDistance(tape, pair);
  const unit = tape.constant([deviation.length], unitsOf(name, deviation));
  return ([seen, features]) => {
    const error = multiply(tape, subtract(tape, seen, features), unit);
    return mean(tape, multiply(tape, error, error), [0, 1, 2]);
  };
}

/** By what errors are multiplied: so that to give the mean alone costs 1, whatever the teacher's scale. */
function unitsOf(name: "standardised" | "mse", deviation: Float32Array): Float32Array {
  if (name === "standardised") return deviation.map((x) => 1 / x);
  const variance = deviation.reduce((sum, x) => sum + x * x, 0) / deviation.length;
  return new Float32Array(deviation.length).fill(1 / Math.sqrt(variance));
}

function cosineDistance(tape: Tape, [seen, features]: Pair): Value {
  const product = (a: Value, b: Value) => mean(tape, multiply(tape, a, b), [2]);
  const inverseLength = (x: Value) =>
    reciprocalRoot(tape, add(tape, product(x, x), tape.scalar(LEAST_SQUARE)));
  const lengths = multiply(tape, inverseLength(seen), inverseLength(features));
  const cosines = multiply(tape, product(seen, features), lengths);
  return add(tape, scale(tape, mean(tape, cosines, [0, 1]), -1), tape.scalar(1));
}
