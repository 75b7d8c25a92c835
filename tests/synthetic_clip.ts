/**
 * A CLIP or SigLIP model in the hub's layout, made from a seed in a moment: both towers with random weights, a tokenizer of
 * single letters, and the configuration files. What it says of a picture means nothing; that it is computed right is what
 * tests ask.
 */

import type { Preprocessing } from "@clip-e/shared";
import { OnnxGraph } from "../trainer/encoder/onnx_graph.ts";
import { seededRandom } from "./random.ts";

/** The model's files, by path, and the numbers of its text tower. */
export interface SyntheticClip {
  readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  /** What the image tower makes of its input, in double precision. */
  readonly imageEmbedding: (pixels: Float32Array) => number[];
  /** What the text tower makes of a text, in double precision, not normalised. */
  readonly textEmbedding: (text: string) => number[];
}

/** Options of {@link makeSyntheticClip}. */
export interface SyntheticClipOptions {
  /** Length of both towers' embeddings. */
  readonly size?: number;
  /** Whether the text tower asks for `attention_mask`, as some exports do. */
  readonly withMask?: boolean;
  /** SigLIP differs in its outputs' names, its tokenizer and context, and in how pictures are prepared; `clip` by default. */
  readonly kind?: "clip" | "siglip";
}

const CROP = 32;

/** How the model that is like CLIP wants its pictures, as its configuration says. */
export const SYNTHETIC_PREPROCESSING: Preprocessing = {
  resize: CROP,
  crop: CROP,
  mean: [0.48, 0.46, 0.41],
  std: [0.27, 0.26, 0.28],
  interpolation: "bicubic",
};

const PATCH = 8;
const CHANNELS = 12;
const WIDTH = 16;

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Bytes as the printable characters that byte-level tokenizers write them with. */
function alphabet(): string[] {
  const isPrintable = (b: number) =>
    (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let moved = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(isPrintable(b) ? b : moved++));
}

const LETTERS = alphabet();
const VOCABULARY = [
  ...LETTERS,
  ...LETTERS.map((c) => `${c}</w>`),
  "<|startoftext|>",
  "<|endoftext|>",
];
const START = VOCABULARY.length - 2;
const END = VOCABULARY.length - 1;

/** A tokenizer's files, and what it makes of a text. */
interface SyntheticTokenizer {
  readonly json: object;
  readonly padding: string;
  readonly context: number;
  readonly size: number;
  /** Ids of a text of ASCII letters and spaces, without padding. */
  readonly encode: (text: string) => number[];
}

/** CLIP's kind: bytes, with marks at both ends. */
const CLIP_TOKENIZER: SyntheticTokenizer = {
  json: clipTokenizer(),
  padding: VOCABULARY[END],
  context: 77,
  size: VOCABULARY.length,
  encode: (text) => {
    const inner = (text.toLowerCase().match(/[a-z]+/g) ?? []).flatMap((word) =>
      [...word].map((c, i) => c.charCodeAt(0) + (i === word.length - 1 ? 256 : 0))
    );
    return [START, ...inner, END];
  },
};

/** What SigLIP pads with is what it ends with. */
const PIECES = ["<pad>", "</s>", "<unk>", "▁", ..."abcdefghijklmnopqrstuvwxyz"];

/** SigLIP's kind: pieces of a unigram model, of lower-case text, with a mark at the end. */
const SIGLIP_TOKENIZER: SyntheticTokenizer = {
  json: siglipTokenizer(),
  padding: "</s>",
  context: 64,
  size: PIECES.length,
  encode: (text) => [
    ...[...`▁${text.toLowerCase().replaceAll(" ", "▁")}`].map((c) => PIECES.indexOf(c)),
    PIECES.indexOf("</s>"),
  ],
};

function siglipTokenizer(): object {
  const end = { id: "</s>", ids: [PIECES.indexOf("</s>")], tokens: ["</s>"] };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "</s>", type_id: 0 } },
      ],
      pair: [],
      special_tokens: { "</s>": end },
    },
    decoder: null,
    model: {
      type: "Unigram",
      unk_id: PIECES.indexOf("<unk>"),
      vocab: PIECES.map((piece, id) => [piece, -id]),
      byte_fallback: false,
    },
  };
}

function clipTokenizer(): object {
  const special = (id: number) => ({
    id,
    content: VOCABULARY[id],
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [special(START), special(END)],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: "\\p{L}+" }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: [VOCABULARY[END], END],
      cls: [VOCABULARY[START], START],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: null,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: VOCABULARY[END],
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])),
      merges: [],
    },
  };
}

/** Ids of a text, padded to the context's length. */
function tokenIds(
  { encode, context }: SyntheticTokenizer,
  text: string,
): { ids: number[]; count: number } {
  const ids = encode(text);
  if (ids.length > context) throw new RangeError("the test's texts are short");
  // Both kinds pad with the token that ends a text.
  const pad = ids[ids.length - 1];
  return { ids: [...ids, ...Array(context - ids.length).fill(pad)], count: ids.length };
}

interface VisionTower {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly embed: (pixels: Float32Array) => number[];
}

function visionTower(draw: () => number, size: number, isSiglip: boolean): VisionTower {
  const output = isSiglip ? "pooler_output" : "image_embeds";
  const graph = new OnnxGraph("vision");
  const weights = (...shape: number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, draw);
  graph.input("pixel_values", ["batch", 3, CROP, CROP]);
  const kernel = [CHANNELS, 3, PATCH, PATCH];
  const patches = weights(...kernel);
  const projection = weights(CHANNELS, size);
  graph.float32("patches", kernel, patches);
  graph.float32("projection", [CHANNELS, size], projection);
  const strides = { ints: [PATCH, PATCH] };
  graph.node("Conv", ["pixel_values", "patches"], "last_hidden_state", { strides });
  graph.node("Relu", ["last_hidden_state"], "active");
  graph.node("GlobalAveragePool", ["active"], "pooled");
  graph.node("Flatten", ["pooled"], "flat", { axis: { int: 1 } });
  graph.node("MatMul", ["flat", "projection"], output);
  const side = CROP / PATCH;
  if (isSiglip) graph.output("last_hidden_state", ["batch", CHANNELS, side, side]);
  graph.output(output, ["batch", size]);

  /** The mean over patches of what one channel answers, nothing below 0. */
  const channel = (pixels: Float32Array, c: number) => {
    let sum = 0;
    for (let top = 0; top < CROP; top += PATCH) {
      for (let left = 0; left < CROP; left += PATCH) {
        let answer = 0;
        for (let i = 0; i < 3 * PATCH * PATCH; i++) {
          const [plane, y, x] = [
            Math.floor(i / PATCH ** 2),
            Math.floor(i / PATCH) % PATCH,
            i % PATCH,
          ];
          const at = (plane * CROP + top + y) * CROP + left + x;
          answer += pixels[at] * patches[c * 3 * PATCH * PATCH + i];
        }
        sum += Math.max(answer, 0);
      }
    }
    return sum / (CROP / PATCH) ** 2;
  };
  return {
    model: graph.toBytes() as Uint8Array<ArrayBuffer>,
    embed(pixels) {
      const channels = Array.from({ length: CHANNELS }, (_, c) => channel(pixels, c));
      return Array.from(
        { length: size },
        (_, p) => channels.reduce((sum, v, c) => sum + v * projection[c * size + p], 0),
      );
    },
  };
}

function clipConfigs(size: number) {
  return {
    "config.json": bytes({
      model_type: "clip",
      projection_dim: size,
      text_config: { max_position_embeddings: CLIP_TOKENIZER.context },
    }),
    "preprocessor_config.json": bytes({
      size: { shortest_edge: CROP },
      crop_size: { height: CROP, width: CROP },
      resample: 3,
      image_mean: [0.48, 0.46, 0.41],
      image_std: [0.27, 0.26, 0.28],
    }),
  };
}

/** As published ones are: the length of texts goes without saying. */
function siglipConfigs() {
  const halves = [0.5, 0.5, 0.5];
  return {
    "config.json": bytes({
      model_type: "siglip",
      text_config: { model_type: "siglip_text_model" },
    }),
    "preprocessor_config.json": bytes({
      do_resize: true,
      size: { height: CROP, width: CROP },
      resample: 3,
      image_mean: halves,
      image_std: halves,
    }),
  };
}

/**
 * Makes the model.
 *
 * @param options of its shape
 */
export function makeSyntheticClip(options: SyntheticClipOptions = {}): SyntheticClip {
  const { size = 24, withMask = false, kind = "clip" } = options;
  const isSiglip = kind === "siglip";
  const tokenizer = isSiglip ? SIGLIP_TOKENIZER : CLIP_TOKENIZER;
  const { context } = tokenizer;
  const random = seededRandom(11);
  const draw = () => random.fraction() - 0.5;
  const vision = visionTower(draw, size, isSiglip);
  const table = Float32Array.from({ length: tokenizer.size * WIDTH }, draw);
  const projection = Float32Array.from({ length: WIDTH * size }, draw);

  const graph = new OnnxGraph("text");
  graph.input("input_ids", ["batch", context], "int64");
  if (withMask) graph.input("attention_mask", ["batch", context], "int64");
  graph.float32("table", [tokenizer.size, WIDTH], table);
  graph.float32("projection", [WIDTH, size], projection);
  graph.node("Gather", ["table", "input_ids"], "last_hidden_state", { axis: { int: 0 } });
  let summed = "last_hidden_state";
  if (withMask) {
    graph.int64("last", [1], [2]);
    graph.node("Cast", ["attention_mask"], "mask", { to: { int: 1 } });
    graph.node("Unsqueeze", ["mask", "last"], "columns");
    summed = graph.node("Mul", ["last_hidden_state", "columns"], "kept");
  }
  graph.node("ReduceMean", [summed], "mean", { axes: { ints: [1] }, keepdims: { int: 0 } });
  const output = isSiglip ? "pooler_output" : "text_embeds";
  graph.node("MatMul", ["mean", "projection"], output);
  if (isSiglip) graph.output("last_hidden_state", ["batch", context, WIDTH]);
  graph.output(output, ["batch", size]);

  return {
    files: {
      ...(isSiglip ? siglipConfigs() : clipConfigs(size)),
      "tokenizer.json": bytes(tokenizer.json),
      "tokenizer_config.json": bytes({ pad_token: tokenizer.padding, model_max_length: context }),
      "onnx/vision_model.onnx": vision.model,
      "onnx/text_model.onnx": graph.toBytes() as Uint8Array<ArrayBuffer>,
    },
    imageEmbedding: vision.embed,
    textEmbedding(text) {
      const { ids, count } = tokenIds(tokenizer, text);
      const mean = Array.from({ length: WIDTH }, (_, w) => {
        const rows = withMask ? ids.slice(0, count) : ids;
        return rows.reduce((sum, id) => sum + table[id * WIDTH + w], 0) / context;
      });
      return Array.from(
        { length: size },
        (_, p) => mean.reduce((sum, m, w) => sum + m * projection[w * size + p], 0),
      );
    },
  };
}
