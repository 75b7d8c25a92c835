/**
 * Both towers in double precision and plain loops, after the papers and
 * transformers' `modeling_clip` and without ONNX: what an embedding should be.
 *
 * Sources: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
 * Supervision"; Vaswani et al. 2017, "Attention Is All You Need".
 */

import type { ClipShape, EncoderShape } from "./shapes.ts";
import type { Weights } from "./weights.ts";

type Vector = readonly number[];
/** A vector for each token. */
type Sequence = readonly Vector[];
/** Whether the token at `from` sees the one at `to`. */
type Sees = (from: number, to: number) => boolean;

/**
 * Embeds a picture.
 *
 * @param pixels `[3, S, S]`
 * @returns `[P]`, not normalised
 */
export function embedImage(
  weights: Weights,
  { vision, projection }: ClipShape,
  pixels: ArrayLike<number>,
): number[] {
  const w = reader(weights);
  const { hidden, patch, image } = vision;
  const kernels = w("vision_model.embeddings.patch_embedding.weight");
  const patches: number[][] = [];
  for (let top = 0; top < image; top += patch) {
    for (let left = 0; left < image; left += patch) {
      patches.push(
        range(hidden).map((c) => {
          let sum = 0;
          for (let plane = 0; plane < 3; plane++) {
            for (let y = 0; y < patch; y++) {
              for (let x = 0; x < patch; x++) {
                sum += kernels[((c * 3 + plane) * patch + y) * patch + x] *
                  pixels[(plane * image + top + y) * image + left + x];
              }
            }
          }
          return sum;
        }),
      );
    }
  }
  const classToken = Array.from(w("vision_model.embeddings.class_embedding"));
  const positions = w("vision_model.embeddings.position_embedding.weight");
  const tokens = [classToken, ...patches].map((token, t) => add(token, row(positions, t, hidden)));
  const normed = tokens.map((x) => layerNorm(w, "vision_model.pre_layrnorm", x));
  const [first] = encode(w, "vision_model", vision, normed, () => true);
  const feature = layerNorm(w, "vision_model.post_layernorm", first);
  return multiply(feature, w("visual_projection.weight"), projection);
}

/**
 * Embeds a text.
 *
 * @param ids of its tokens
 * @param mask 1 at tokens, the first among them, 0 at padding; all are tokens unless given
 * @returns `[P]`, not normalised
 */
export function embedText(
  weights: Weights,
  { text, projection }: ClipShape,
  ids: readonly number[],
  mask?: readonly number[],
): number[] {
  const w = reader(weights);
  const table = w("text_model.embeddings.token_embedding.weight");
  const positions = w("text_model.embeddings.position_embedding.weight");
  const tokens = ids.map((id, t) =>
    add(row(table, id, text.hidden), row(positions, t, text.hidden))
  );
  const sees: Sees = (from, to) => to <= from && mask?.[to] !== 0;
  const encoded = encode(w, "text_model", text, tokens, sees);
  const end = ids.indexOf(Math.max(...ids));
  const feature = layerNorm(w, "text_model.final_layer_norm", encoded[end]);
  return multiply(feature, w("text_projection.weight"), projection);
}

/** x + attention(norm(x)), then x + mlp(norm(x)), layer after layer. */
function encode(
  w: Reader,
  tower: string,
  { layers, heads }: EncoderShape,
  tokens: Sequence,
  sees: Sees,
): Sequence {
  return range(layers).reduce<Sequence>((xs, i) => {
    const layer = `${tower}.encoder.layers.${i}`;
    const normed = xs.map((x) => layerNorm(w, `${layer}.layer_norm1`, x));
    const attended = attention(w, `${layer}.self_attn`, heads, normed, sees);
    return xs.map((x, t) => {
      const y = add(x, attended[t]);
      return add(y, mlp(w, `${layer}.mlp`, layerNorm(w, `${layer}.layer_norm2`, y)));
    });
  }, tokens);
}

/** softmax(q kᵀ / √d) v for each head, their answers side by side, then the output layer. */
function attention(
  w: Reader,
  module: string,
  heads: number,
  xs: Sequence,
  sees: Sees,
): Sequence {
  const [q, k, v] = ["q_proj", "k_proj", "v_proj"]
    .map((name) => xs.map((x) => linear(w, `${module}.${name}`, x)));
  const d = xs[0].length / heads;
  return xs.map((_, from) => {
    const visible = range(xs.length).filter((to) => sees(from, to));
    const mixed = range(heads).flatMap((head) => {
      const channels = range(d).map((i) => head * d + i);
      const scores = visible.map((to) =>
        sum(channels.map((c) => q[from][c] * k[to][c])) / Math.sqrt(d)
      );
      const shares = softmax(scores);
      return channels.map((c) => sum(visible.map((to, i) => shares[i] * v[to][c])));
    });
    return linear(w, `${module}.out_proj`, mixed);
  });
}

/** W₂ · quickGelu(W₁ · x + b₁) + b₂. */
function mlp(w: Reader, module: string, x: Vector): number[] {
  const inner = linear(w, `${module}.fc1`, x).map((a) => a / (1 + Math.exp(-1.702 * a)));
  return linear(w, `${module}.fc2`, inner);
}

function linear(w: Reader, module: string, x: Vector): number[] {
  const bias = w(`${module}.bias`);
  return add(multiply(x, w(`${module}.weight`), bias.length), bias);
}

/** `x` `[I]` times a matrix `[I, O]`. */
function multiply(x: Vector, matrix: ArrayLike<number>, outputs: number): number[] {
  // Row by row, as the matrix lies in memory: several times faster than a sum for each output.
  const product = new Array<number>(outputs).fill(0);
  for (const [i, xi] of x.entries()) {
    for (let o = 0; o < outputs; o++) product[o] += xi * matrix[i * outputs + o];
  }
  return product;
}

function layerNorm(w: Reader, module: string, x: Vector): number[] {
  const [gain, bias] = [w(`${module}.weight`), w(`${module}.bias`)];
  const mean = sum(x) / x.length;
  const variance = sum(x.map((xi) => (xi - mean) ** 2)) / x.length;
  return x.map((xi, i) => (xi - mean) / Math.sqrt(variance + 1e-5) * gain[i] + bias[i]);
}

function softmax(x: Vector): number[] {
  const top = Math.max(...x);
  const powers = x.map((xi) => Math.exp(xi - top));
  const total = sum(powers);
  return powers.map((p) => p / total);
}

function add(a: Vector, b: ArrayLike<number>): number[] {
  return a.map((ai, i) => ai + b[i]);
}

function sum(x: Vector): number {
  return x.reduce((total, xi) => total + xi, 0);
}

function row(matrix: Float32Array, at: number, width: number): Vector {
  return Array.from(matrix.subarray(at * width, (at + 1) * width));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

/** Gives weights by name. */
type Reader = (name: string) => Float32Array;

function reader(weights: Weights): Reader {
  return (name) => {
    const values = weights.get(name);
    if (!values) throw new RangeError(`Cannot compute the tower: there are no weights ${name}`);
    return values;
  };
}
