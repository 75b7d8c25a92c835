/**
 * Embeddings of classes that are told apart to a known degree: each class is a Gaussian of its own mean, all of deviation
 * 1 in every direction, so the best that anyone can do is to choose the nearest mean.
 */

import { Random } from "../../../trainer/random.ts";

/** Classes. */
export interface GaussianClasses {
  /** D. */
  readonly size: number;
  /** K. */
  readonly classes: number;
  /** `[K, D]`. */
  readonly means: Float32Array;
}

/** Examples of classes. */
export interface GaussianExamples {
  /** `[N, D]`. */
  readonly embeddings: Float32Array;
  /** `[N]`. */
  readonly targets: Int32Array;
}

/**
 * Draws classes.
 *
 * @param classes K
 * @param size D
 * @param spread the mean distance of a class's mean from the origin
 * @param random from which
 */
export function drawClasses(
  classes: number,
  size: number,
  spread: number,
  random: Random,
): GaussianClasses {
  const deviation = spread / Math.sqrt(size);
  const means = Float32Array.from({ length: classes * size }, () => random.normal() * deviation);
  return { size, classes, means };
}

/**
 * Draws examples, each class as likely as any other.
 *
 * @param of the classes
 * @param count N
 * @param random from which
 */
export function drawExamples(
  { size, classes, means }: GaussianClasses,
  count: number,
  random: Random,
): GaussianExamples {
  const embeddings = new Float32Array(count * size);
  const targets = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const label = Math.floor(random.next() * classes);
    targets[i] = label;
    for (let d = 0; d < size; d++) {
      embeddings[i * size + d] = means[label * size + d] + random.normal();
    }
  }
  return { embeddings, targets };
}

/**
 * The share that the nearest mean gets right: no classifier is better but by chance.
 *
 * @param of the classes
 * @param examples to classify
 * @param from the first of them
 */
export function bayesAccuracy(
  { size, classes, means }: GaussianClasses,
  { embeddings, targets }: GaussianExamples,
  from = 0,
): number {
  let right = 0;
  for (let i = from; i < targets.length; i++) {
    let [best, least] = [0, Infinity];
    for (let k = 0; k < classes; k++) {
      let distance = 0;
      for (let d = 0; d < size; d++) {
        distance += (embeddings[i * size + d] - means[k * size + d]) ** 2;
      }
      if (distance < least) [best, least] = [k, distance];
    }
    if (best === targets[i]) right++;
  }
  return right / (targets.length - from);
}
