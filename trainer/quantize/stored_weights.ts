/**
 * Quantised weights as initializers of a draft, each made and stored once, however many nodes read it.
 */

import type { Constant, GraphDraft } from "./graph_draft.ts";
import {
  BLOCK_SIZE,
  type BlockWeights,
  type ChannelWeights,
  type Precision,
  quantizeBlocks,
  quantizeChannels,
  transpose,
} from "./quantize_weights.ts";
import type { Product } from "./target.ts";
import { readFiniteFloats, shapeOf } from "./tensor.ts";

/** Names of initializers. */
export interface StoredWeights {
  /** Integers. */
  readonly values: string;
  /** A scale for each channel, or block. */
  readonly scales: string;
}

/** How {@linkcode storeChannels} stores. */
export interface ChannelLayout extends Precision {
  /** The axis of the channels as the initializer has it. */
  readonly axis: number;
  /** Whether to store a matrix with its axes changed. */
  readonly isTurned?: boolean;
  /** Shape of the scales; by default a vector. */
  readonly scaleShape?: readonly number[];
  /** What to multiply the scales with. */
  readonly factor?: number;
}

/**
 * Stores weights as 8-bit integers with a scale for each channel.
 *
 * @throws {TrainerError} when a weight is not finite, or the file is damaged
 */
export async function storeChannels(
  draft: GraphDraft,
  { tensor }: Constant,
  layout: ChannelLayout,
): Promise<StoredWeights> {
  const { axis, limit, isPerTensor = false, isTurned = false, factor = 1 } = layout;
  const shape = shapeOf(tensor);
  const scaling = isPerTensor ? "whole" : `axis${axis}`;
  const key = `${tensor.name}_int${limit < 64 ? 7 : 8}_${scaling}${isTurned ? "_turned" : ""}`;
  const { values, scales } = await draft.cache.get(key, async (): Promise<ChannelWeights> => {
    const weights = await readFiniteFloats(tensor, draft.external);
    const made = quantizeChannels(weights, shape, axis, { limit, isPerTensor });
    return isTurned ? { ...made, values: transpose(made.values, shape[0], shape[1]) } : made;
  });
  const scaleShape = layout.scaleShape ?? [scales.length];
  const scaleKey = `${key}_scale_${scaleShape.join("x")}${factor === 1 ? "" : `_times_${factor}`}`;
  return {
    values: draft.store(key, isTurned ? shape.toReversed() : shape, () => values),
    scales: draft.store(scaleKey, scaleShape, () => scales.map((scale) => scale * factor)),
  };
}

/**
 * Stores a product's matrix in blocks.
 *
 * @throws {TrainerError} when a weight is not finite, or the file is damaged
 */
export async function storeBlocks(
  draft: GraphDraft,
  { weight: { tensor }, rows, columns, isTransposed, alpha }: Product,
  bits: 4 | 8,
): Promise<StoredWeights> {
  const key = `${tensor.name}_int${bits}_blocks${isTransposed ? "_turned" : ""}`;
  const { values, scales, blocks } = await draft.cache.get(key, async (): Promise<BlockWeights> => {
    const weights = await readFiniteFloats(tensor, draft.external);
    return quantizeBlocks({ weights, rows, columns, isTransposed }, bits);
  });
  const scaleKey = `${key}_scale${alpha === 1 ? "" : `_times_${alpha}`}`;
  return {
    values: draft.store(key, [columns, blocks, BLOCK_SIZE * bits / 8], () => values),
    scales: draft.store(scaleKey, [columns, blocks], () => scales.map((scale) => scale * alpha)),
  };
}
