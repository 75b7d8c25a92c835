/**
 * What a `Gemm` adds to its product, where another operator takes the product's place.
 */

import type { GraphDraft } from "./graph_draft.ts";
import type { Product } from "./target.ts";

/**
 * Adds a product, then its bias.
 *
 * @param product whose output's name is kept
 * @param addProduct adds the product without its bias, under the name that it is given
 */
export function addBias(
  draft: GraphDraft,
  { node, bias, beta }: Product,
  addProduct: (output: string) => void,
): void {
  const [output] = node.output;
  if (bias === undefined || beta === 0) return addProduct(output);
  const unbiased = draft.freeName(`${output}_unbiased`);
  addProduct(unbiased);
  draft.make("Add", [unbiased, scaled(draft, bias, beta)], output);
}

function scaled(draft: GraphDraft, bias: string, beta: number): string {
  if (beta === 1) return bias;
  const factor = draft.store(`beta_${beta}`, [], () => Float32Array.of(beta));
  return draft.once(`${bias}_times_${beta}`, (free) => {
    draft.make("Mul", [bias, factor], free);
  });
}
