/**
 * What both towers' graphs are made of: their weights, and CLIP's transformer layers in the
 * operators, the order and the names that Hugging Face's Optimum exports them with.
 */

import { OnnxGraph } from "../../trainer/encoder/onnx_graph.ts";
import { type Outliers, plantOutliers } from "./outliers.ts";
import type { EncoderShape } from "./shapes.ts";
import { drawWeights, type Weights, type WeightSpec } from "./weights.ts";

/** Options of a tower. */
export interface TowerOptions {
  /** Of the weights. */
  readonly seed?: number;
  /** The name of the file beside the model that holds the weights; inside the model unless given. */
  readonly external?: string;
  /** To plant. */
  readonly outliers?: Outliers;
}

/** A tower. */
export interface Tower {
  /** ONNX bytes. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** The bytes of the file beside it, in the weights' own memory. */
  readonly externalData?: Uint8Array<ArrayBuffer>;
  /** For the reference; not to be changed. */
  readonly weights: Weights;
}

/** A tower's graph that holds its weights, each a constant of its own name, and no node yet. */
export interface TowerDraft {
  readonly graph: OnnxGraph;
  /** Writes the tower. */
  finish(): Tower;
}

/**
 * Starts a tower's graph.
 *
 * @param tower `vision_model` or `text_model`
 * @param shape of its layers
 * @param specs of its weights
 */
export function startTower(
  tower: string,
  shape: EncoderShape,
  specs: readonly WeightSpec[],
  { seed = 0, external, outliers }: TowerOptions,
): TowerDraft {
  const weights = drawWeights(specs, seed);
  if (outliers) plantOutliers(weights, tower, shape, outliers);
  const graph = new OnnxGraph(tower);
  let data: ArrayBuffer | undefined;
  for (const { name, shape } of specs) {
    const values = weights.get(name) ?? new Float32Array();
    if (external === undefined) graph.float32(name, shape, values);
    else graph.external(name, shape, { location: external, offset: values.byteOffset });
    data = values.buffer;
  }
  return {
    graph,
    finish() {
      const model = graph.toBytes();
      if (external === undefined) return { model, weights };
      return { model, weights, externalData: new Uint8Array(data ?? new ArrayBuffer()) };
    },
  };
}

/** What exports name a module's values: `/text_model/encoder/layers.0/mlp/fc1` for example. */
export function pathOf(module: string): string {
  return `/${module.replaceAll(/\.(?!\d)/g, "/")}`;
}

/** `[..., C]` to `[..., C]`. */
export function layerNorm(graph: OnnxGraph, module: string, x: string): string {
  return graph.node(
    "LayerNormalization",
    [x, `${module}.weight`, `${module}.bias`],
    `${pathOf(module)}/LayerNormalization_output_0`,
    { axis: { int: -1 }, epsilon: { float: 1e-5 } },
  );
}

/**
 * Adds the transformer's layers.
 *
 * @param x `[N, L, C]`
 * @param mask to add to the attention's scores `[N, H, L, L]`, in a shape that broadcasts
 * @returns `[N, L, C]`
 */
export function encoder(
  graph: OnnxGraph,
  tower: string,
  { hidden, heads, layers }: EncoderShape,
  x: string,
  mask?: string,
): string {
  graph.float32("attention_scale", [], [(hidden / heads) ** -0.5]);
  graph.float32("sigmoid_scale", [], [1.702]);
  // A length of 0 keeps the one that is there.
  graph.int64("split_heads", [4], [0, 0, heads, hidden / heads]);
  graph.int64("join_heads", [3], [0, 0, hidden]);
  for (let i = 0; i < layers; i++) {
    const layer = `${tower}.encoder.layers.${i}`;
    const path = pathOf(layer);
    const normed1 = layerNorm(graph, `${layer}.layer_norm1`, x);
    const attended = attention(graph, `${layer}.self_attn`, normed1, mask);
    x = graph.node("Add", [x, attended], `${path}/Add_output_0`);
    const normed2 = layerNorm(graph, `${layer}.layer_norm2`, x);
    x = graph.node("Add", [x, mlp(graph, `${layer}.mlp`, normed2)], `${path}/Add_1_output_0`);
  }
  return x;
}

function attention(graph: OnnxGraph, module: string, x: string, mask?: string): string {
  const path = pathOf(module);
  const split = (y: string, name: string, ...perm: number[]) => {
    const parts = graph.node("Reshape", [y, "split_heads"], `${path}/${name}/Reshape_output_0`);
    return graph.node("Transpose", [parts], `${path}/${name}/Transpose_output_0`, {
      perm: { ints: perm },
    });
  };
  const scaled = graph.node(
    "Mul",
    [linear(graph, `${module}.q_proj`, x), "attention_scale"],
    `${path}/Mul_output_0`,
  );
  const q = split(scaled, "q", 0, 2, 1, 3);
  const k = split(linear(graph, `${module}.k_proj`, x), "k", 0, 2, 3, 1);
  const v = split(linear(graph, `${module}.v_proj`, x), "v", 0, 2, 1, 3);
  let scores = graph.node("MatMul", [q, k], `${path}/MatMul_output_0`);
  if (mask !== undefined) scores = graph.node("Add", [scores, mask], `${path}/Add_output_0`);
  const shares = graph.node("Softmax", [scores], `${path}/Softmax_output_0`, { axis: { int: -1 } });
  const mixed = graph.node("MatMul", [shares, v], `${path}/MatMul_1_output_0`);
  const tokens = graph.node("Transpose", [mixed], `${path}/Transpose_output_0`, {
    perm: { ints: [0, 2, 1, 3] },
  });
  const joined = graph.node("Reshape", [tokens, "join_heads"], `${path}/Reshape_output_0`);
  return linear(graph, `${module}.out_proj`, joined);
}

function mlp(graph: OnnxGraph, module: string, x: string): string {
  const path = `${pathOf(module)}/activation_fn`;
  const inner = linear(graph, `${module}.fc1`, x);
  const scaled = graph.node("Mul", [inner, "sigmoid_scale"], `${path}/Mul_output_0`);
  const gate = graph.node("Sigmoid", [scaled], `${path}/Sigmoid_output_0`);
  const active = graph.node("Mul", [inner, gate], `${path}/Mul_1_output_0`);
  return linear(graph, `${module}.fc2`, active);
}

function linear(graph: OnnxGraph, module: string, x: string): string {
  const path = pathOf(module);
  const product = graph.node("MatMul", [x, `${module}.weight`], `${path}/MatMul_output_0`);
  return graph.node("Add", [`${module}.bias`, product], `${path}/Add_output_0`);
}
