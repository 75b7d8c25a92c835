/**
 * The towers' weights: their names and shapes, and random numbers of the spread that CLIP starts
 * its training with, so that activations keep a sensible size through all layers.
 *
 * Names are those of transformers' modules. Linear layers are `[in, out]`, as exports hold them.
 */

import { type ClipShape, countPatches, type EncoderShape } from "./shapes.ts";

/** Weights by name, row-major, one after another in one buffer in the order of the map. */
export type Weights = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** One tensor of weights. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly mean: number;
  /** Standard deviation. */
  readonly std: number;
}

/** Real ones start at 0 and 1 and are learned; here they differ, so that none can be left out. */
const BIAS_STD = 0.02;
const GAIN_STD = 0.1;
const EMBEDDING_STD = 0.02;

/** The image tower's tensors. */
export function visionWeights({ vision, projection }: ClipShape): WeightSpec[] {
  const { hidden, patch } = vision;
  const embeddings = "vision_model.embeddings";
  const positions = 1 + countPatches(vision);
  return [
    tensor(`${embeddings}.class_embedding`, [hidden], hidden ** -0.5),
    tensor(`${embeddings}.patch_embedding.weight`, [hidden, 3, patch, patch], EMBEDDING_STD),
    tensor(`${embeddings}.position_embedding.weight`, [positions, hidden], EMBEDDING_STD),
    ...layerNorm("vision_model.pre_layrnorm", hidden),
    ...encoder("vision_model", vision),
    ...layerNorm("vision_model.post_layernorm", hidden),
    tensor("visual_projection.weight", [hidden, projection], hidden ** -0.5),
  ];
}

/** The text tower's tensors. */
export function textWeights({ text, projection }: ClipShape): WeightSpec[] {
  const { hidden, vocab, context } = text;
  const embeddings = "text_model.embeddings";
  return [
    tensor(`${embeddings}.token_embedding.weight`, [vocab, hidden], EMBEDDING_STD),
    tensor(`${embeddings}.position_embedding.weight`, [context, hidden], EMBEDDING_STD),
    ...encoder("text_model", text),
    ...layerNorm("text_model.final_layer_norm", hidden),
    tensor("text_projection.weight", [hidden, projection], hidden ** -0.5),
  ];
}

/**
 * Draws weights, uniform about their means.
 *
 * @param specs of the tensors
 * @param seed the same gives the same weights
 */
export function drawWeights(specs: readonly WeightSpec[], seed: number): Weights {
  const sizes = specs.map(({ shape }) => shape.reduce((product, length) => product * length, 1));
  const all = new Float32Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  // A multiplication spreads small seeds out; the sequence must not start at 0.
  let state = Math.imul(seed + 1, 0x9e3779b1) || 1;
  return new Map(specs.map(({ name, mean, std }, i) => {
    const values = all.subarray(at, at += sizes[i]);
    state = fill(values, mean, std, state);
    return [name, values];
  }));
}

/** Fills with uniform numbers by Marsaglia's xorshift and gives its state: millions in a moment. */
function fill(values: Float32Array, mean: number, std: number, state: number): number {
  const scale = std * Math.sqrt(3) / 2 ** 31;
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = mean + state * scale;
  }
  return state;
}

function encoder(tower: string, shape: EncoderShape): WeightSpec[] {
  const { hidden, layers, mlp } = shape;
  const innerStd = (2 * layers * hidden) ** -0.5;
  return Array.from({ length: layers }, (_, i) => {
    const layer = `${tower}.encoder.layers.${i}`;
    return [
      ...layerNorm(`${layer}.layer_norm1`, hidden),
      ...["q_proj", "k_proj", "v_proj"].flatMap((name) =>
        linear(`${layer}.self_attn.${name}`, hidden, hidden, innerStd)
      ),
      ...linear(`${layer}.self_attn.out_proj`, hidden, hidden, hidden ** -0.5),
      ...layerNorm(`${layer}.layer_norm2`, hidden),
      ...linear(`${layer}.mlp.fc1`, hidden, mlp, (2 * hidden) ** -0.5),
      ...linear(`${layer}.mlp.fc2`, mlp, hidden, innerStd),
    ];
  }).flat();
}

function linear(module: string, from: number, to: number, std: number): WeightSpec[] {
  return [
    tensor(`${module}.weight`, [from, to], std),
    tensor(`${module}.bias`, [to], BIAS_STD),
  ];
}

function layerNorm(module: string, size: number): WeightSpec[] {
  return [
    { ...tensor(`${module}.weight`, [size], GAIN_STD), mean: 1 },
    tensor(`${module}.bias`, [size], BIAS_STD),
  ];
}

function tensor(name: string, shape: readonly number[], std: number): WeightSpec {
  return { name, shape, mean: 0, std };
}
