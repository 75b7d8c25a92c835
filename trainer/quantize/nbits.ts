/**
 * Blocks of 8 or 4 bits, for ONNX Runtime's operator `MatMulNBits`: the smallest files, close to the float model, as each 32
 * weights have a scale of their own.
 */

import { addBias } from "./add_bias.ts";
import type { GraphDraft } from "./graph_draft.ts";
import { BLOCK_SIZE } from "./quantize_weights.ts";
import { storeBlocks } from "./stored_weights.ts";
import type { Product } from "./target.ts";

const DOMAIN = "com.microsoft";

/**
 * Adds a product with a matrix in blocks.
 *
 * @param bits of a weight
 * @throws {TrainerError} when a weight is not finite
 */
export async function addBlockProduct(
  draft: GraphDraft,
  product: Product,
  bits: 4 | 8,
): Promise<void> {
  draft.needOpset(1, DOMAIN);
  const { node, rows, columns } = product;
  const { values, scales } = await storeBlocks(draft, product, bits);
  addBias(draft, product, (output) => {
    draft.make(`${DOMAIN}.MatMulNBits`, [node.input[0], values, scales], output, {
      K: rows,
      N: columns,
      bits,
      block_size: BLOCK_SIZE,
    });
  });
}
