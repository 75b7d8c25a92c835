/**
 * A node of quantised weights in place of one of floats, as the mode has it.
 */

import type { GraphDraft } from "./graph_draft.ts";
import { addIntegerConvolution, addIntegerProduct } from "./int8_dynamic.ts";
import { addDequantized, addLookup } from "./int8_weights.ts";
import { addBlockProduct } from "./nbits.ts";
import type { QuantizeOptions } from "./quantize_model.ts";
import { INT7_LIMIT, INT8_LIMIT } from "./quantize_weights.ts";
import type { Target } from "./target.ts";

/**
 * Adds a target's quantised form, under the name of its output.
 *
 * @param options whose mode is one of integers
 * @returns how it was done, a mode's name
 * @throws {TrainerError} when a weight is not finite, or the operator set cannot be raised
 */
export async function addQuantized(
  draft: GraphDraft,
  target: Target,
  { mode, conv, reduceRange = false, perTensor = false }: QuantizeOptions,
): Promise<string> {
  const precision = { limit: reduceRange ? INT7_LIMIT : INT8_LIMIT, isPerTensor: perTensor };
  if (target.kind === "lookup") {
    await addLookup(draft, target, precision);
    return "int8-weights";
  }
  if (mode === "int8-dynamic" && target.kind === "product") {
    await addIntegerProduct(draft, target, precision);
    return mode;
  }
  if (mode === "int8-dynamic" && target.kind === "convolution" && conv === "integers") {
    await addIntegerConvolution(draft, target, precision);
    return mode;
  }
  if (target.kind === "product" && (mode === "nbits8" || mode === "nbits4")) {
    await addBlockProduct(draft, target, mode === "nbits8" ? 8 : 4);
    return mode;
  }
  await addDequantized(draft, target, precision);
  return "int8-weights";
}
