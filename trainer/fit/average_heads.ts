/**
 * Several heads to one that answers with the mean of their outputs: their hidden units side by side. A committee steadies
 * what a head learns from few pictures, and costs nothing to serve.
 */

import type { ContrastiveHead, CrossEntropyHead, Dense, Head } from "@clip-e/shared";

/**
 * Averages heads: the logits of cross-entropy heads, the projections of contrastive ones.
 *
 * @param heads of one kind, for the same inputs and outputs, at least one
 * @returns one head, with the hidden units of all
 * @throws {RangeError} when there is none, or they differ in kind, inputs or labels
 */
export function averageHeads<H extends Head>(heads: readonly H[]): H;
export function averageHeads(heads: readonly Head[]): Head {
  const [first] = heads;
  if (!first) throw new RangeError("Cannot average heads: there is none");
  const signature = (head: Head) =>
    JSON.stringify([
      head.kind,
      head.input ?? "raw",
      head.img_fc1.inputs,
      outputOf(head).units,
      head.kind === "contrastive" ? head.blend : Array.from(head.groups ?? []),
    ]);
  if (heads.some((head) => signature(head) !== signature(first))) {
    throw new RangeError("Cannot average heads: they differ in kind, inputs or labels");
  }
  const img_fc1 = sideBySide(heads.map(({ img_fc1 }) => img_fc1));
  const output = meanOfOutputs(heads.map(outputOf));
  return first.kind === "cross-entropy"
    ? { ...first, img_fc1, preds: output } satisfies CrossEntropyHead
    : { ...first, img_fc1, img_fc2: output } satisfies ContrastiveHead;
}

function outputOf(head: Head): Dense {
  return head.kind === "cross-entropy" ? head.preds : head.img_fc2;
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
