/**
 * CLIP's image tower as an ONNX model with random weights, like Optimum's exports of transformers'
 * `CLIPVisionModelWithProjection`.
 */

import type { ClipShape } from "./shapes.ts";
import { encoder, layerNorm, startTower, type Tower, type TowerOptions } from "./tower_graph.ts";
import { visionWeights } from "./weights.ts";

/**
 * Makes the tower: `pixel_values` `[N, 3, S, S]` to `image_embeds` `[N, P]`.
 *
 * @param shape of the model
 */
export function makeVisionTower(shape: ClipShape, options: TowerOptions = {}): Tower {
  const { hidden, patch, image } = shape.vision;
  const tower = "vision_model";
  const { graph, finish } = startTower(tower, shape.vision, visionWeights(shape), options);
  const path = `/${tower}/embeddings`;

  graph.input("pixel_values", ["batch_size", 3, image, image]);
  const patches = graph.node(
    "Conv",
    ["pixel_values", `${tower}.embeddings.patch_embedding.weight`],
    `${path}/patch_embedding/Conv_output_0`,
    { kernel_shape: { ints: [patch, patch] }, strides: { ints: [patch, patch] } },
  );
  graph.int64("patch_list", [3], [0, hidden, -1]);
  const list = graph.node("Reshape", [patches, "patch_list"], `${path}/Reshape_output_0`);
  const tokens = graph.node("Transpose", [list], `${path}/Transpose_output_0`, {
    perm: { ints: [0, 2, 1] },
  });

  const batch = graph.node("Shape", ["pixel_values"], `${path}/Shape_output_0`, {
    start: { int: 0 },
    end: { int: 1 },
  });
  graph.int64("one_token", [2], [1, hidden]);
  const repeated = graph.node("Concat", [batch, "one_token"], `${path}/Concat_output_0`, {
    axis: { int: 0 },
  });
  const first = graph.node(
    "Expand",
    [`${tower}.embeddings.class_embedding`, repeated],
    `${path}/Expand_output_0`,
  );
  const sequence = graph.node("Concat", [first, tokens], `${path}/Concat_1_output_0`, {
    axis: { int: 1 },
  });
  const placed = graph.node(
    "Add",
    [sequence, `${tower}.embeddings.position_embedding.weight`],
    `${path}/Add_output_0`,
  );

  const normed = layerNorm(graph, `${tower}.pre_layrnorm`, placed);
  const encoded = encoder(graph, tower, shape.vision, normed);
  graph.int64("class_token", [], [0]);
  const pooled = graph.node("Gather", [encoded, "class_token"], `/${tower}/Gather_output_0`, {
    axis: { int: 1 },
  });
  const feature = layerNorm(graph, `${tower}.post_layernorm`, pooled);
  graph.node("MatMul", [feature, "visual_projection.weight"], "image_embeds");
  graph.output("image_embeds", ["batch_size", shape.projection]);
  return finish();
}
