/**
 * What a step of training needs to know, as an ONNX graph: what the student makes of a batch, how far that is from the
 * teacher's features, and from labels where there are any, and the gradient of that. All that is learned is one vector, which
 * goes in; its gradient comes out.
 */

import { type FeatureLoss, featureLoss } from "./feature_loss.ts";
import { add, scale } from "./graph/elementwise.ts";
import { reshapeOf } from "./graph/matrices.ts";
import { sizeOf, Tape, type Value } from "./graph/tape.ts";
import type { LabelHead } from "./label_head.ts";
import type { Parameter, Student, Values } from "./student.ts";

/** Names of the graph's inputs. */
export const GRADIENT_INPUTS = {
  /** `[P]`. */
  parameters: "parameters",
  /** `[B, 3, S, S]`, normalised. */
  pixels: "pixels",
  /** `[B, R, D]`. */
  features: "features",
  /** `[B, K]`, where labels are learned: zeros for a view without one. */
  targets: "targets",
} as const;

/** The graph's output, `[P + 1]`: the gradient, and the loss. */
export const GRADIENT_OUTPUT = "gradient";

/** A parameter and its place in the vector. */
export interface Placed {
  readonly parameter: Parameter;
  /** Where its numbers start. */
  readonly at: number;
}

/**
 * Gives parameters their places: those that weight decay makes smaller come first.
 *
 * @param parameters of a student
 */
export function layOut(parameters: readonly Parameter[]): Placed[] {
  let at = 0;
  return parameters.toSorted((a, b) => Number(b.decays) - Number(a.decays)).map((parameter) => {
    const placed = { parameter, at };
    at += sizeOf(parameter.shape);
    return placed;
  });
}

/**
 * P, how many numbers are learned.
 *
 * @param parameters of a student
 */
export function countNumbers(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/**
 * Takes parameters out of their vector.
 *
 * @param tape written to
 * @param vector `[P]`
 * @param parameters of a student
 * @returns by name
 */
export function takeApart(tape: Tape, vector: Value, parameters: readonly Parameter[]): Values {
  return Object.fromEntries(
    layOut(parameters).map(({ parameter: { name, shape }, at }) => {
      const range = [at, at + sizeOf(shape), 0].map((n) => tape.integers([n]));
      const part = tape.emit("Slice", [vector, ...range], [sizeOf(shape)]);
      return [name, reshapeOf(tape, part, shape)];
    }),
  );
}

/** What a step is about. */
export interface GradientShape {
  /** B. */
  readonly batch: number;
  /** Regions in a row of a picture: R is its square. */
  readonly side: number;
  /** How far it is from the teacher's features. */
  readonly loss: FeatureLoss;
  /** `[D]`, of the teacher's features. */
  readonly deviation: Float32Array;
  /** Where labels are learned beside these. */
  readonly labels?: WeighedHead;
}

/** What learns labels, and how much they count. */
export interface WeighedHead {
  /** Its parameters stand behind the student's. */
  readonly head: LabelHead;
  /** By which cross-entropy is multiplied. */
  readonly weight: number;
}

/**
 * All that is learned, in an order that does not change: the student first.
 *
 * @param student who learns
 * @param labels what learns labels beside it
 */
export function parametersOf(student: Student, labels?: WeighedHead): readonly Parameter[] {
  return [...student.parameters, ...labels?.head.parameters ?? []];
}

/**
 * Builds the graph.
 *
 * @param student who learns
 * @param shape of a step
 * @returns the bytes of an ONNX model
 */
export function buildGradient(student: Student, shape: GradientShape): Uint8Array<ArrayBuffer> {
  const { batch, side, deviation, labels } = shape;
  const dimensions = deviation.length;
  const tape = new Tape("distillation_gradient");
  const parameters = parametersOf(student, labels);
  const count = countNumbers(parameters);
  const vector = tape.input(GRADIENT_INPUTS.parameters, [count]);
  const pixels = tape.input(GRADIENT_INPUTS.pixels, [batch, 3, student.size, student.size]);
  const features = tape.input(GRADIENT_INPUTS.features, [batch, side ** 2, dimensions]);

  const given = takeApart(tape, vector, parameters);
  const learned = Object.values(given).map((parameter) => tape.learn(parameter));
  const seen = student.embed(tape, student.weights(tape, given), pixels, side);
  const followed = featureLoss(tape, shape.loss, [seen, features], deviation);
  const loss = labels ? addLabels(tape, followed, labels, given, seen) : followed;
  const flat = [...tape.gradients(loss, learned), loss]
    .map((value) => reshapeOf(tape, value, [sizeOf(value.shape)]).name);
  tape.graph.node("Concat", flat, GRADIENT_OUTPUT, { axis: { int: 0 } });
  tape.graph.output(GRADIENT_OUTPUT, [count + 1]);
  return tape.graph.toBytes();
}

/** Adds how far off labels are. */
function addLabels(
  tape: Tape,
  loss: Value,
  { head, weight }: WeighedHead,
  given: Values,
  seen: Value,
): Value {
  const labels = head.parameters[0].shape[1];
  const targets = tape.input(GRADIENT_INPUTS.targets, [seen.shape[0], labels]);
  return add(tape, loss, scale(tape, head.loss(tape, given, seen, targets), weight));
}
