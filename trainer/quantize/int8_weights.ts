/**
 * Small files, float arithmetic: weights are stored as signed bytes and become floats again before they are used.
 */

import { TensorProto_DataType as DataType } from "onnx-buf";
import type { GraphDraft } from "./graph_draft.ts";
import { withValues } from "./make_node.ts";
import type { Precision } from "./quantize_weights.ts";
import { type ChannelLayout, storeChannels } from "./stored_weights.ts";
import type { Convolution, Lookup, Product } from "./target.ts";

/** The operator set in which `DequantizeLinear` takes a scale for each index of an axis. */
const PER_AXIS_OPSET = 13;

/**
 * Adds a product or a convolution that reads its weights from bytes.
 *
 * @param precision of the weights
 * @throws {TrainerError} when a weight is not finite
 */
export async function addDequantized(
  draft: GraphDraft,
  target: Product | Convolution,
  precision: Precision,
): Promise<void> {
  const { node, weight } = target;
  const { isTransposed } = weight;
  const isColumnsFirst = target.kind === "convolution" || target.isTransposed;
  const axis = isColumnsFirst ? 0 : 1;
  // The axis as it is stored: turned where the graph turned it.
  const place = isTransposed ? 1 - axis : axis;
  const floats = await dequantize(
    draft,
    target,
    { axis, ...precision, isTurned: isTransposed },
    place,
  );
  draft.add(withValues(node, node.input.with(1, floats)));
}

async function dequantize(
  draft: GraphDraft,
  { weight }: Product | Convolution,
  layout: ChannelLayout,
  place: number,
): Promise<string> {
  if (draft.opset >= PER_AXIS_OPSET) {
    const { values, scales } = await storeChannels(draft, weight, layout);
    return draft.once(`${values}_dequantized`, (free) => {
      draft.make("DequantizeLinear", [values, scales], free, { axis: place });
    });
  }
  const scaleShape = weight.shape.map((length, axis) => axis === place ? length : 1);
  const { values, scales } = await storeChannels(draft, weight, { ...layout, scaleShape });
  return draft.once(`${values}_dequantized`, (free) => addScaled(draft, values, scales, free));
}

/**
 * Adds a look-up in a table of bytes. The rows that are taken become floats, not the table.
 *
 * @param precision of the weights
 * @throws {TrainerError} when a weight is not finite
 */
export async function addLookup(
  draft: GraphDraft,
  { node, weight }: Lookup,
  precision: Precision,
): Promise<void> {
  const scaleShape = [weight.shape[0], 1];
  const stored = await storeChannels(draft, weight, { axis: 0, ...precision, scaleShape });
  const [output] = node.output;
  const [rows, scales] = ["rows", "scales"].map((what) => draft.freeName(`${output}_${what}`));
  draft.make("Gather", [stored.values, node.input[1]], rows);
  draft.make("Gather", [stored.scales, node.input[1]], scales);
  addScaled(draft, rows, scales, output);
}

function addScaled(draft: GraphDraft, integers: string, scales: string, output: string): void {
  const floats = draft.freeName(`${output}_unscaled`);
  draft.make("Cast", [integers], floats, { to: DataType.FLOAT });
  draft.make("Mul", [floats, scales], output);
}
