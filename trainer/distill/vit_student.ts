/**
 * A small vision transformer (Dosovitskiy and others, arXiv 2010.11929): patches become tokens, which look at one another in
 * blocks of attention and two dense layers, and are averaged at the end.
 */

import {
  add,
  mean,
  multiply,
  reciprocalRoot,
  relu,
  scale as times,
  subtract,
} from "./graph/elementwise.ts";
import { matmul, reshape, softmax, transpose } from "./graph/matrices.ts";
import type { Tape, Value } from "./graph/tape.ts";
import {
  type FeatureScale,
  makeHead,
  meanOfPlaces,
  normal,
  ones,
  type Parameter,
  type Student,
  type Values,
  zeros,
} from "./student.ts";

/** How large the network is. */
export interface VitShape {
  /** S, in pixels: a multiple of the patch. */
  readonly size: number;
  /** Side of a patch, in pixels. */
  readonly patch: number;
  /** Numbers of a token: a multiple of the heads. */
  readonly width: number;
  /** Blocks. */
  readonly depth: number;
  /** Ways of looking, in each block. */
  readonly heads: number;
}

/** Units between a block's two dense layers, for each number of a token. */
const EXPANSION = 4;
const EPSILON = 1e-6;
/** Of first weights. */
const DEVIATION = 0.02;

/**
 * Makes the network.
 *
 * @param shape how large it is
 * @param scale of the teacher's features
 */
export function vitStudent(shape: VitShape, scale: FeatureScale): Student {
  const { size, patch, width, depth, heads } = shape;
  const side = size / patch;
  const tokens = side * side;
  const parameters: Parameter[] = [];
  const dense = (name: string, inputs: number, units: number, deviation = DEVIATION) =>
    void parameters.push(
      { name: `${name}.kernel`, shape: [inputs, units], draw: normal(deviation), decays: true },
      { name: `${name}.bias`, shape: [units], draw: zeros, decays: false },
    );
  const norm = (name: string) =>
    void parameters.push(
      { name: `${name}.gain`, shape: [width], draw: ones, decays: false },
      { name: `${name}.bias`, shape: [width], draw: zeros, decays: false },
    );
  dense("patches", 3 * patch * patch, width, 1 / Math.sqrt(3 * patch * patch));
  parameters.push({
    name: "places",
    shape: [tokens, width],
    draw: normal(DEVIATION),
    decays: false,
  });
  for (let b = 0; b < depth; b++) {
    norm(`block${b}.norm1`);
    for (const part of ["query", "key", "value", "out"]) dense(`block${b}.${part}`, width, width);
    norm(`block${b}.norm2`);
    dense(`block${b}.wide`, width, EXPANSION * width);
    dense(`block${b}.narrow`, EXPANSION * width, width);
  }
  norm("norm");
  const head = makeHead(width, scale);

  return {
    size,
    parameters: [...parameters, ...head.parameters],
    weights: (tape, given) => ({ ...given, ...head.weights(tape, given) }),
    embed(tape, weights, pixels, parts) {
      const batch = pixels.shape[0];
      const apply = (name: string, x: Value) =>
        add(tape, matmul(tape, x, weights[`${name}.kernel`]), weights[`${name}.bias`]);
      const split = reshape(tape, pixels, [batch, 3, side, patch, side, patch]);
      const patches = reshape(
        tape,
        transpose(tape, split, [0, 2, 4, 1, 3, 5]),
        [batch, tokens, 3 * patch * patch],
      );
      let x = add(tape, apply("patches", patches), weights.places);
      for (let b = 0; b < depth; b++) {
        const name = `block${b}`;
        const seen = normalise(tape, x, weights, `${name}.norm1`);
        x = add(tape, x, apply(`${name}.out`, attend(tape, seen, heads, name, apply)));
        const known = normalise(tape, x, weights, `${name}.norm2`);
        x = add(tape, x, apply(`${name}.narrow`, relu(tape, apply(`${name}.wide`, known))));
      }
      const seen = normalise(tape, x, weights, "norm");
      const places = reshape(tape, transpose(tape, seen, [0, 2, 1]), [batch, width, side, side]);
      return head.apply(tape, weights, meanOfPlaces(tape, places, parts));
    },
  };
}

/** Every token looks at all tokens: `[B, T, W]` to `[B, T, W]`. */
function attend(
  tape: Tape,
  x: Value,
  heads: number,
  block: string,
  apply: (name: string, x: Value) => Value,
): Value {
  const [batch, tokens, width] = x.shape;
  const each = width / heads;
  const part = (name: string, order: readonly number[]) =>
    transpose(
      tape,
      reshape(tape, apply(`${block}.${name}`, x), [batch, tokens, heads, each]),
      order,
    );
  const query = times(tape, part("query", [0, 2, 1, 3]), 1 / Math.sqrt(each));
  const attention = softmax(tape, matmul(tape, query, part("key", [0, 2, 3, 1])));
  const looked = matmul(tape, attention, part("value", [0, 2, 1, 3]));
  return reshape(tape, transpose(tape, looked, [0, 2, 1, 3]), [batch, tokens, width]);
}

/** Layer normalisation (arXiv 1607.06450). */
function normalise(tape: Tape, x: Value, weights: Values, name: string): Value {
  const axes = [x.shape.length - 1];
  const centred = subtract(tape, x, mean(tape, x, axes));
  const variance = mean(tape, multiply(tape, centred, centred), axes);
  const unit = multiply(
    tape,
    centred,
    reciprocalRoot(tape, add(tape, variance, tape.scalar(EPSILON))),
  );
  return add(tape, multiply(tape, unit, weights[`${name}.gain`]), weights[`${name}.bias`]);
}
