/**
 * A small residual network of convolutions, without normalisation between them: kernels are standardised instead, and the
 * spread of activations is known beforehand (Brock, De and Smith, "Characterizing signal propagation to close the performance
 * gap in unnormalized ResNets", arXiv 2101.08692). So a finished encoder is convolutions, ReLUs and sums, and a step of
 * training touches activations as seldom as can be.
 *
 * At first a kernel goes over every second pixel, and again at the head of each stage, whose blocks are bottlenecks of half
 * its width: `x + α f(relu(x))`, f being kernels of 1, 3 and 1 pixels.
 */

import { convolve, type Walk } from "./graph/convolution.ts";
import {
  add,
  mean,
  multiply,
  reciprocalRoot,
  relu,
  scale as times,
  subtract,
} from "./graph/elementwise.ts";
import { sizeOf, type Tape, type Value } from "./graph/tape.ts";
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
export interface ConvShape {
  /** S, in pixels: a multiple of 2 for the stem and each stage. */
  readonly size: number;
  /** Channels of the first layer. */
  readonly stem: number;
  /** Channels and blocks, from the finest places to the coarsest. */
  readonly stages: readonly { readonly width: number; readonly depth: number }[];
  /** Channels before they are averaged over places. */
  readonly top: number;
}

/** The share of a block in its sum: α. */
const SHARE = 0.2;
/** What a ReLU leaves of a normal variable's deviation, inverted. */
const RELU_GAIN = Math.sqrt(2 / (1 - 1 / Math.PI));
/** Keeps kernels of equal numbers finite. */
const EPSILON = 1e-6;

/** A convolution with a standardised kernel. */
interface Layer {
  readonly name: string;
  /** `[O, C, K, K]`. */
  readonly kernel: readonly [number, number, number, number];
  readonly walk: Walk;
  /** Times which the standardised kernel is taken. */
  readonly gain: number;
  /** Whether it ends a block: it is 0 at first, so that the block is. */
  readonly endsBlock: boolean;
}

const SAME: Walk = { stride: 1, pad: 0 };
const HALF: Walk = { stride: 2, pad: 0 };

/**
 * Makes the network.
 *
 * @param shape how large it is
 * @param scale of the teacher's features
 */
export function convStudent(shape: ConvShape, scale: FeatureScale): Student {
  const { size, stem, stages, top } = shape;
  const layers: Layer[] = [];
  const layer = (
    name: string,
    [inputs, units, side]: readonly [number, number, number],
    walk: Walk,
    gain: number,
    endsBlock = false,
  ) => void layers.push({ name, kernel: [units, inputs, side, side], walk, gain, endsBlock });

  layer("stem", [3, stem, 3], { stride: 2, pad: 1 }, 1);
  let channels = stem;
  let variance = 1;
  for (const [s, { width, depth }] of stages.entries()) {
    layer(`stage${s}`, [channels, width, 2], HALF, RELU_GAIN / Math.sqrt(variance));
    channels = width;
    variance = 1;
    const inner = width / 2;
    for (let b = 0; b < depth; b++) {
      const name = `stage${s}.block${b}`;
      layer(`${name}.in`, [width, inner, 1], SAME, RELU_GAIN / Math.sqrt(variance));
      layer(`${name}.middle`, [inner, inner, 3], { stride: 1, pad: 1 }, RELU_GAIN);
      layer(`${name}.out`, [inner, width, 1], SAME, RELU_GAIN * SHARE, true);
      variance += SHARE ** 2;
    }
  }
  layer("top", [channels, top, 1], SAME, RELU_GAIN / Math.sqrt(variance));

  const head = makeHead(top, scale);
  return {
    size,
    parameters: [...layers.flatMap(parametersOf), ...head.parameters],
    weights: (tape, given) => ({
      ...Object.fromEntries(layers.flatMap((layer) => [
        [`${layer.name}.kernel`, standardise(tape, layer, given)],
        [`${layer.name}.bias`, given[`${layer.name}.bias`]],
      ])),
      ...head.weights(tape, given),
    }),
    embed(tape, weights, pixels, side) {
      const walks = new Map(layers.map(({ name, walk }) => [name, walk]));
      const conv = (name: string, x: Value) => {
        const [kernel, bias] = [weights[`${name}.kernel`], weights[`${name}.bias`]];
        return convolve(tape, x, kernel, bias, walks.get(name) ?? SAME);
      };
      let x = conv("stem", pixels);
      for (const [s, { depth }] of stages.entries()) {
        x = conv(`stage${s}`, relu(tape, x));
        for (let b = 0; b < depth; b++) {
          const name = `stage${s}.block${b}`;
          const inner = relu(tape, conv(`${name}.in`, relu(tape, x)));
          x = add(tape, x, conv(`${name}.out`, relu(tape, conv(`${name}.middle`, inner))));
        }
      }
      const places = relu(tape, conv("top", relu(tape, x)));
      return head.apply(tape, weights, meanOfPlaces(tape, places, side));
    },
  };
}

function parametersOf({ name, kernel, endsBlock }: Layer): Parameter[] {
  const [units, ...fan] = kernel;
  return [
    {
      name: `${name}.kernel`,
      shape: kernel,
      draw: normal(1 / Math.sqrt(sizeOf(fan))),
      decays: true,
    },
    { name: `${name}.gain`, shape: [units, 1, 1, 1], draw: ones, decays: false },
    ...(endsBlock
      ? [{ name: `${name}.share`, shape: [1, 1, 1, 1], draw: zeros, decays: false }]
      : []),
    { name: `${name}.bias`, shape: [units], draw: zeros, decays: false },
  ];
}

/** Every unit's kernel with mean 0 and as much deviation as keeps that of what goes through it; times what is learned. */
function standardise(tape: Tape, { name, kernel: shape, gain, endsBlock }: Layer, given: Values) {
  const fan = sizeOf(shape.slice(1));
  const kernel = given[`${name}.kernel`];
  const centred = subtract(tape, kernel, mean(tape, kernel, [1, 2, 3]));
  const variance = mean(tape, multiply(tape, centred, centred), [1, 2, 3]);
  const spread = reciprocalRoot(tape, add(tape, times(tape, variance, fan), tape.scalar(EPSILON)));
  const learned = endsBlock
    ? multiply(tape, given[`${name}.gain`], given[`${name}.share`])
    : given[`${name}.gain`];
  const factor = times(tape, multiply(tape, spread, learned), gain);
  return multiply(tape, centred, factor);
}
