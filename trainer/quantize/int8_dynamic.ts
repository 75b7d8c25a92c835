/**
 * Integer arithmetic: activations become unsigned bytes while the model runs, by their own smallest and largest value, and
 * meet weights that are signed bytes already. Weights are signed, with no zero point, as CPUs and ONNX Runtime have fast
 * kernels for just that pair.
 */

import { TensorProto_DataType as DataType } from "onnx-buf";
import { addBias } from "./add_bias.ts";
import type { GraphDraft } from "./graph_draft.ts";
import type { Precision } from "./quantize_weights.ts";
import { storeChannels } from "./stored_weights.ts";
import type { Convolution, Product } from "./target.ts";
import { readFiniteFloats } from "./tensor.ts";

/** The operator set that brought `DynamicQuantizeLinear`. */
const OPSET = 11;

/**
 * Adds a product in integers.
 *
 * @param precision of the weights
 * @throws {TrainerError} when a weight is not finite, or the operator set cannot be raised
 */
export async function addIntegerProduct(
  draft: GraphDraft,
  product: Product,
  precision: Precision,
): Promise<void> {
  draft.needOpset(OPSET);
  const { node, weight, isTransposed, alpha } = product;
  const stored = await storeChannels(draft, weight, {
    axis: isTransposed ? 0 : 1,
    ...precision,
    isTurned: isTransposed,
    factor: alpha,
  });
  const { values, scale, zeroPoint } = quantizeActivation(draft, node.input[0]);
  const sums = draft.freeName(`${node.output[0]}_int32`);
  draft.make("MatMulInteger", [values, stored.values, zeroPoint], sums);
  addBias(draft, product, (output) => scaleBack(draft, sums, [scale, stored.scales], output));
}

/**
 * Adds a convolution in integers.
 *
 * @param precision of the weights
 * @throws {TrainerError} when a weight is not finite, or the operator set cannot be raised
 */
export async function addIntegerConvolution(
  draft: GraphDraft,
  { node, weight, bias }: Convolution,
  precision: Precision,
): Promise<void> {
  draft.needOpset(OPSET);
  // A number for each channel, spread over the axes of space.
  const perChannel = [weight.shape[0], ...weight.shape.slice(2).map(() => 1)];
  const stored = await storeChannels(draft, weight, {
    axis: 0,
    ...precision,
    scaleShape: perChannel,
  });
  const { values, scale, zeroPoint } = quantizeActivation(draft, node.input[0]);
  const [output] = node.output;
  const sums = draft.freeName(`${output}_int32`);
  draft.make("ConvInteger", [values, stored.values, zeroPoint], sums, node.attribute);
  if (!bias) return scaleBack(draft, sums, [scale, stored.scales], output);
  const unbiased = draft.freeName(`${output}_unbiased`);
  scaleBack(draft, sums, [scale, stored.scales], unbiased);
  const floats = await readFiniteFloats(bias.tensor, draft.external);
  const name = `${bias.tensor.name}_${perChannel.join("x")}`;
  draft.make("Add", [unbiased, draft.store(name, perChannel, () => floats.slice())], output);
}

/** Quantises an activation, once for all that read it. */
function quantizeActivation(draft: GraphDraft, name: string) {
  const scale = draft.once(`${name}_scale`, () => {});
  const zeroPoint = draft.once(`${name}_zero_point`, () => {});
  const values = draft.once(`${name}_uint8`, (free) => {
    draft.make("DynamicQuantizeLinear", [name], [free, scale, zeroPoint]);
  });
  return { values, scale, zeroPoint };
}

/**
 * Turns sums of products of integers back into floats. ONNX Runtime knows this pattern, and computes it in one step.
 *
 * @param sums name of 32-bit integers
 * @param scales names of the activation's scale and of the weights', which spread over the sums
 */
function scaleBack(
  draft: GraphDraft,
  sums: string,
  scales: readonly [activation: string, weights: string],
  output: string,
): void {
  const floats = draft.freeName(`${output}_float`);
  const scale = draft.freeName(`${output}_scale`);
  draft.make("Cast", [sums], floats, { to: DataType.FLOAT });
  draft.make("Mul", scales, scale);
  draft.make("Mul", [floats, scale], output);
}
