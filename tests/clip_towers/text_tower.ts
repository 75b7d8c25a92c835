/**
 * CLIP's text tower as an ONNX model with random weights, like Optimum's exports of transformers'
 * `CLIPTextModelWithProjection`.
 */

import type { OnnxGraph } from "../../trainer/encoder/onnx_graph.ts";
import type { ClipShape } from "./shapes.ts";
import { encoder, layerNorm, startTower, type Tower, type TowerOptions } from "./tower_graph.ts";
import { textWeights } from "./weights.ts";

/** Options of {@link makeTextTower}. */
export interface TextTowerOptions extends TowerOptions {
  /** Whether the model asks for `attention_mask`, as some exports do. */
  readonly attentionMask?: boolean;
}

const TOWER = "text_model";
/** ONNX's number of the element type int32. */
const INT32 = 6;
/** The lowest float32, which exports write for "pay no attention". */
const LOWEST = -(2 - 2 ** -23) * 2 ** 127;

/**
 * Makes the tower: `input_ids` and perhaps `attention_mask`, `[N, L]` of int64, to `text_embeds`
 * `[N, P]`, for any L up to the context.
 *
 * @param shape of the model
 */
export function makeTextTower(shape: ClipShape, options: TextTowerOptions = {}): Tower {
  const { graph, finish } = startTower(TOWER, shape.text, textWeights(shape), options);
  graph.input("input_ids", ["batch_size", "sequence_length"], "int64");
  if (options.attentionMask) {
    graph.input("attention_mask", ["batch_size", "sequence_length"], "int64");
  }
  const length = graph.node("Shape", ["input_ids"], `/${TOWER}/Shape_output_0`, {
    start: { int: 1 },
    end: { int: 2 },
  });
  const tokens = embeddings(graph, length);
  const causal = causalMask(graph, length);
  const mask = options.attentionMask ? maskPadding(graph, causal) : causal;
  const encoded = encoder(graph, TOWER, shape.text, tokens, mask);
  const normed = layerNorm(graph, `${TOWER}.final_layer_norm`, encoded);
  const feature = endToken(graph, normed);
  graph.node("MatMul", [feature, "text_projection.weight"], "text_embeds");
  graph.output("text_embeds", ["batch_size", shape.projection]);
  return finish();
}

/** Tokens and their places, `[N, L, C]`. */
function embeddings(graph: OnnxGraph, length: string): string {
  const path = `/${TOWER}/embeddings`;
  const tokens = graph.node(
    "Gather",
    [`${TOWER}.embeddings.token_embedding.weight`, "input_ids"],
    `${path}/token_embedding/Gather_output_0`,
    { axis: { int: 0 } },
  );
  graph.int64("first_position", [1], [0]);
  const positions = graph.node(
    "Slice",
    [`${TOWER}.embeddings.position_embedding.weight`, "first_position", length],
    `${path}/position_embedding/Slice_output_0`,
  );
  return graph.node("Add", [tokens, positions], `${path}/Add_output_0`);
}

/** `[L, L]`: the lowest number right of the diagonal, so that no token sees a later one. */
function causalMask(graph: OnnxGraph, length: string): string {
  graph.float32("lowest", [], [LOWEST]);
  graph.int64("above_diagonal", [], [1]);
  const square = graph.node("Concat", [length, length], `/${TOWER}/Concat_output_0`, {
    axis: { int: 0 },
  });
  const filled = graph.node("Expand", ["lowest", square], `/${TOWER}/Expand_output_0`);
  return graph.node("Trilu", [filled, "above_diagonal"], `/${TOWER}/Trilu_output_0`, {
    upper: { int: 1 },
  });
}

/** `[N, 1, L, L]`: the causal mask, with the lowest number in every column of padding. */
function maskPadding(graph: OnnxGraph, causal: string): string {
  graph.int64("padding", [], [0]);
  graph.int64("heads_and_rows", [2], [1, 2]);
  const isPadding = graph.node(
    "Equal",
    ["attention_mask", "padding"],
    `/${TOWER}/Equal_output_0`,
  );
  const columns = graph.node(
    "Unsqueeze",
    [isPadding, "heads_and_rows"],
    `/${TOWER}/Unsqueeze_output_0`,
  );
  return graph.node("Where", [columns, "lowest", causal], `/${TOWER}/Where_output_0`);
}

/** `[N, L, C]` to `[N, C]`: the row of the first token with the highest id, which ends a text. */
function endToken(graph: OnnxGraph, x: string): string {
  const ids = graph.node("Cast", ["input_ids"], `/${TOWER}/Cast_output_0`, { to: { int: INT32 } });
  const at = graph.node("ArgMax", [ids], `/${TOWER}/ArgMax_output_0`, {
    axis: { int: -1 },
    keepdims: { int: 1 },
  });
  return graph.node("GatherND", [x, at], `/${TOWER}/GatherND_output_0`, { batch_dims: { int: 1 } });
}
