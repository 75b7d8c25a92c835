/**
 * Layers as an encoder's file.
 */

import { Tape, type Value } from "../graph/tape.ts";
import type { OnnxLayers } from "../onnx_layers.ts";
import { runLayers } from "../onnx_student.ts";
import type { Values } from "../student.ts";

/**
 * Writes an encoder: the mean of what the layers make over places.
 *
 * @param network its layers
 * @param size S, in pixels
 * @returns ONNX: `pixel_values`, `[batch, 3, S, S]`, to `image_embeds`, `[batch, D]`
 */
export function writeLayers(network: OnnxLayers, size: number): Uint8Array<ArrayBuffer> {
  const tape = new Tape("encoder");
  const name = tape.graph.input("pixel_values", ["batch", 3, size, size]);
  const pixels = { name, shape: [1, 3, size, size] };
  const map = runLayers(tape, network, constantsOf(tape, network), pixels).get(network.map);
  if (!map) throw new TypeError("Nothing makes the network's map");
  const mean = tape.graph.node("GlobalAveragePool", [map.name], "mean");
  tape.graph.node("Flatten", [mean], "image_embeds", { axis: { int: 1 } });
  tape.graph.output("image_embeds", ["batch", map.shape[1]]);
  return tape.graph.toBytes();
}

/** Kernels and biases as constants, by the names under which layers are run. */
export function constantsOf(tape: Tape, { layers }: OnnxLayers): Values {
  return Object.fromEntries(
    layers.flatMap((layer): [string, Value][] =>
      layer.kind !== "convolution" ? [] : [
        [`${layer.name}.kernel`, tape.constant(layer.kernel.shape, layer.kernel.data)],
        [`${layer.name}.bias`, tape.constant([layer.bias.length], layer.bias)],
      ]
    ),
  );
}
