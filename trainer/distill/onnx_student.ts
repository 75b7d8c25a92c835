/**
 * A student that can see already: a trained convolutional network, which learns to see pictures of another size as its teacher
 * does. Where it makes as many numbers as the teacher, as the teacher itself does, these are the embedding; else a dense layer
 * makes that of them.
 */

import { convolve, pad } from "./graph/convolution.ts";
import { add, clip, relu } from "./graph/elementwise.ts";
import type { Tape, Value } from "./graph/tape.ts";
import type { OnnxLayer, OnnxLayers } from "./onnx_layers.ts";
import {
  type FeatureScale,
  makeHead,
  meanOfPlaces,
  type Parameter,
  type Student,
  type Values,
} from "./student.ts";

/**
 * Makes the student.
 *
 * @param network as it was read, for pictures of this size
 * @param size S, in pixels
 * @param scale of the teacher's features
 */
export function onnxStudent(network: OnnxLayers, size: number, scale: FeatureScale): Student {
  const { layers, map } = network;
  const convolutions = layers.filter((layer) => layer.kind === "convolution");
  const channels = convolutions[convolutions.length - 1].kernel.shape[0];
  const head = channels === scale.mean.length ? undefined : makeHead(channels, scale);
  return {
    size,
    parameters: [...convolutions.flatMap(parametersOf), ...head?.parameters ?? []],
    weights: (tape, given) => ({ ...given, ...head?.weights(tape, given) }),
    embed(tape, weights, pixels, side) {
      const values = runLayers(tape, network, weights, pixels);
      const seen = values.get(map);
      if (!seen) throw new TypeError(`Nothing makes ${map}`);
      const rows = meanOfPlaces(tape, seen, side);
      return head ? head.apply(tape, weights, rows) : rows;
    },
  };
}

/**
 * Runs a network.
 *
 * @param tape written to
 * @param network which
 * @param weights its kernels and biases, by the names of layers
 * @param pixels `[B, 3, S, S]`, normalised
 * @returns what each layer makes, by name
 */
export function runLayers(
  tape: Tape,
  { layers, input }: OnnxLayers,
  weights: Values,
  pixels: Value,
): ReadonlyMap<string, Value> {
  const values = new Map([[input, pixels]]);
  const valueOf = (name: string): Value => {
    const value = values.get(name);
    if (value) return value;
    throw new TypeError(`Nothing makes ${name}`);
  };
  for (const layer of layers) values.set(layer.name, apply(tape, layer, valueOf, weights));
  return values;
}

function parametersOf({ name, kernel, bias }: OnnxLayer & { kind: "convolution" }): Parameter[] {
  return [
    {
      name: `${name}.kernel`,
      shape: kernel.shape,
      draw: (_, index) => kernel.data[index],
      decays: true,
    },
    { name: `${name}.bias`, shape: [bias.length], draw: (_, index) => bias[index], decays: false },
  ];
}

function apply(
  tape: Tape,
  layer: OnnxLayer,
  valueOf: (name: string) => Value,
  weights: Values,
): Value {
  if (layer.kind === "add") return add(tape, valueOf(layer.inputs[0]), valueOf(layer.inputs[1]));
  const x = valueOf(layer.input);
  if (layer.kind === "pad") return pad(tape, x, layer.pads);
  if (layer.kind === "clip") {
    const { least, most } = layer;
    return least === 0 && most === Infinity ? relu(tape, x) : clip(tape, x, least, most);
  }
  const { name, stride, pads } = layer;
  const [kernel, bias] = [weights[`${name}.kernel`], weights[`${name}.bias`]];
  if (pads.every((length) => length === pads[0])) {
    return convolve(tape, x, kernel, bias, { stride, pad: pads[0] });
  }
  return convolve(tape, pad(tape, x, pads), kernel, bias, { stride, pad: 0 });
}
