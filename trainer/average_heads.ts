/**
 * Several heads to one that answers with the mean of their logits: their hidden units side by side. A committee steadies
 * what a head learns from few pictures, and costs nothing to serve.
 */

import type { CrossEntropyHead, Dense } from "@clip-e/shared";

/**
 * Averages heads.
 *
 * @param heads of the same inputs and labels, at least one
 * @returns one head, with the hidden units of all
 * @throws {RangeError} when there is none, or their inputs or labels differ in number
 */
export function averageHeads(heads: readonly CrossEntropyHead[]): CrossEntropyHead {
  const [first] = heads;
  if (!first) throw new RangeError("Cannot average heads: there is none");
  for (const { img_fc1, preds } of heads) {
    if (img_fc1.inputs !== first.img_fc1.inputs || preds.units !== first.preds.units) {
      throw new RangeError("Cannot average heads: they differ in inputs or labels");
    }
  }
  return {
    kind: "cross-entropy",
    img_fc1: sideBySide(heads.map(({ img_fc1 }) => img_fc1)),
    preds: meanOfOutputs(heads.map(({ preds }) => preds)),
  };
}

/** `[D, H1]`, `[D, H2]` ... to `[D, H1 + H2 + ...]`. */
function sideBySide(layers: readonly Dense[]): Dense {
  const { inputs } = layers[0];
  const units = layers.reduce((sum, layer) => sum + layer.units, 0);
  const kernel = new Float32Array(inputs * units);
  const bias = new Float32Array(units);
  let left = 0;
  for (const layer of layers) {
    for (let i = 0; i < inputs; i++) {
      const row = layer.kernel.subarray(i * layer.units, (i + 1) * layer.units);
      kernel.set(row, i * units + left);
    }
    bias.set(layer.bias, left);
    left += layer.units;
  }
  return { inputs, units, kernel, bias };
}

/** `[H1, K]`, `[H2, K]` ... to `[H1 + H2 + ..., K]`, such that the outputs are averaged. */
function meanOfOutputs(layers: readonly Dense[]): Dense {
  const { units } = layers[0];
  const inputs = layers.reduce((sum, layer) => sum + layer.inputs, 0);
  const share = 1 / layers.length;
  const kernel = new Float32Array(inputs * units);
  const bias = new Float32Array(units);
  let top = 0;
  for (const layer of layers) {
    kernel.set(layer.kernel.map((v) => v * share), top * units);
    layer.bias.forEach((v, k) => bias[k] += v * share);
    top += layer.inputs;
  }
  return { inputs, units, kernel, bias };
}
