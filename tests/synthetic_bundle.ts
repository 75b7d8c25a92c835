/**
 * A whole bundle in the shape of a CLIP-E one, made from a seed in a moment: every kind of head, prompts for every
 * taxonomy, and an encoder whose weights are noise. What it says of a picture means nothing; that it says the same
 * everywhere is what tests ask.
 */

import {
  CLIP_PREPROCESSING,
  type ContrastiveHead,
  type CrossEntropyHead,
  type Dense,
  describeFile,
  findTaxonomy,
  goldenInput,
  type Head,
  type Manifest,
  MANIFEST_PATH,
  type ManifestMethod,
  type Prompts,
  TAXONOMIES,
  writeGolden,
  writeHead,
  writeManifest,
  writePrompts,
} from "@clip-e/shared";
import { openEncoder } from "../edge/encoder.ts";
import { OnnxGraph } from "../trainer/encoder/onnx_graph.ts";

/** The files of a bundle, by path. */
export type BundleFiles = Map<string, Uint8Array<ArrayBuffer>>;

/** A bundle, and the numbers that went into it. */
export interface SyntheticBundle {
  /** Ready to be read or written. */
  readonly files: BundleFiles;
  /** What it says of itself. */
  readonly manifest: Manifest;
  /** By id: `polarity`, `primary` and `secondary` are cross-entropy heads, `contrastive` is one for all. */
  readonly heads: ReadonlyMap<string, Head>;
  /** Unit vectors, by taxonomy. */
  readonly prompts: ReadonlyMap<string, Prompts>;
}

/** Options of {@link makeSyntheticBundle}. */
export interface SyntheticBundleOptions {
  /** Of every number. By default 1. */
  readonly seed?: number;
}

/** Length of the embedding, CLIP's. */
const SIZE = 512;
/** Side of the encoder's input. */
const CROP = 32;
const PATCH = 8;
const CHANNELS = 16;
const HIDDEN = 32;
const SPACE = "synthetic@1";
/** Taxonomies with a cross-entropy head, and its units: the published one for polarity has a single one. */
const TRAINED = { polarity: 1, primary: 6, secondary: 25 } as const;
const TEMPERATURES = { "cross-entropy": 1, "contrastive": 0.075, "zero-shot": 0.01 } as const;

const PREPROCESSING = { ...CLIP_PREPROCESSING, resize: CROP, crop: CROP };

/**
 * Makes a bundle in memory.
 *
 * @param options its seed
 */
export async function makeSyntheticBundle(
  options: SyntheticBundleOptions = {},
): Promise<SyntheticBundle> {
  const draw = gaussian(options.seed ?? 1);
  const encoder = buildEncoder(draw);
  const heads = new Map<string, Head>();
  for (const [id, units] of Object.entries(TRAINED)) heads.set(id, crossEntropyHead(draw, units));
  heads.set("contrastive", contrastiveHead(draw));
  const prompts = new Map(
    TAXONOMIES.map(({ id, labels }) => [id, unitVectors(draw, labels.length)] as const),
  );

  const files: BundleFiles = new Map();
  const add = async (path: string, bytes: Uint8Array<ArrayBuffer>) => {
    files.set(path, bytes);
    return await describeFile(path, bytes);
  };
  const manifest: Manifest = {
    format: 1,
    name: "synthetic",
    embeddingSpace: { id: SPACE, size: SIZE },
    encoders: [{
      file: await add("encoder.onnx", encoder),
      precision: "float32",
      backends: ["wasm", "native"],
      input: { resize: CROP, crop: CROP },
      mean: [...PREPROCESSING.mean],
      std: [...PREPROCESSING.std],
      interpolation: "bicubic",
      resizeMode: "shortest",
    }],
    golden: {
      formula: "waves-1",
      file: await add("golden.safetensors", writeGolden(await encodeGolden(encoder))),
      tolerance: 1e-3,
    },
    heads: await Promise.all(Array.from(heads, async ([id, head]) => ({
      id,
      kind: head.kind,
      embeddingSpace: SPACE,
      file: await add(`heads/${id}.safetensors`, writeHead(head)),
    }))),
    prompts: await Promise.all(Array.from(prompts, async ([id, vectors]) => ({
      taxonomy: id,
      embeddingSpace: SPACE,
      texts: findTaxonomy(id)?.labels.map(({ prompt }) => [prompt]) ?? [],
      file: await add(`prompts/${id}.safetensors`, writePrompts(vectors)),
    }))),
    taxonomies: TAXONOMIES.map(({ id, title, labels }) => ({
      id,
      title,
      labels: labels.map(({ id, title }) => ({ id, title })),
      methods: methodsOf(id),
    })),
    provenance: { weights: "noise from a seed" },
    license: "MIT",
    modelCard: await add("README.md", new TextEncoder().encode("# Synthetic\n\nFor tests.\n")),
  };
  files.set(MANIFEST_PATH, writeManifest(manifest));
  return { files, manifest, heads, prompts };
}

/**
 * Writes a bundle's files to a folder, which is made.
 *
 * @param files by path
 * @param folder where to; ends with a slash
 */
export async function writeBundleFiles(files: BundleFiles, folder: URL): Promise<void> {
  for (const [path, bytes] of files) {
    const file = new URL(path, folder);
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeFile(file, bytes);
  }
}

/** Best first: the trained head where there is one. */
function methodsOf(taxonomy: string): ManifestMethod[] {
  const temperature = TEMPERATURES;
  return [
    ...(taxonomy in TRAINED
      ? [{
        method: "cross-entropy",
        head: taxonomy,
        temperature: temperature["cross-entropy"],
        figures: { accuracy: 0.5 },
        measured: "nothing: the weights are noise",
      }]
      : []),
    { method: "contrastive", head: "contrastive", temperature: temperature.contrastive },
    { method: "zero-shot", temperature: temperature["zero-shot"] },
  ];
}

function crossEntropyHead(draw: Draw, units: number): CrossEntropyHead {
  return {
    kind: "cross-entropy",
    img_fc1: dense(draw, SIZE, HIDDEN),
    preds: dense(draw, HIDDEN, units),
  };
}

function contrastiveHead(draw: Draw): ContrastiveHead {
  return {
    kind: "contrastive",
    img_fc1: dense(draw, SIZE, HIDDEN),
    img_fc2: dense(draw, HIDDEN, SIZE),
  };
}

function dense(draw: Draw, inputs: number, units: number): Dense {
  return {
    inputs,
    units,
    kernel: draw(inputs * units, 2 * inputs ** -0.5),
    bias: draw(units, 0.1),
  };
}

function unitVectors(draw: Draw, count: number): Prompts {
  const vectors = draw(count * SIZE, 1);
  for (let k = 0; k < count; k++) {
    const vector = vectors.subarray(k * SIZE, (k + 1) * SIZE);
    const norm = Math.hypot(...vector);
    vector.forEach((value, i) => vector[i] = value / norm);
  }
  return { count, size: SIZE, vectors };
}

/** Patches, a ReLU, and a projection of all that they see: `[batch, 3, 32, 32]` to `[batch, 512]`. */
function buildEncoder(draw: Draw): Uint8Array<ArrayBuffer> {
  const graph = new OnnxGraph("synthetic encoder");
  const cells = (CROP / PATCH) ** 2 * CHANNELS;
  const inputs = 3 * PATCH ** 2;
  const pixels = graph.input("pixel_values", ["batch", 3, CROP, CROP]);
  const kernel = graph.float32(
    "patch.kernel",
    [CHANNELS, 3, PATCH, PATCH],
    draw(CHANNELS * inputs, inputs ** -0.5),
  );
  const bias = graph.float32("patch.bias", [CHANNELS], draw(CHANNELS, 0.1));
  const projection = graph.float32(
    "projection",
    [cells, SIZE],
    // CLIP's embeddings have a length of about 10, which this comes near to on photographs.
    draw(cells * SIZE, 0.8 * cells ** -0.5),
  );
  const patches = graph.node("Conv", [pixels, kernel, bias], "patches", {
    kernel_shape: { ints: [PATCH, PATCH] },
    strides: { ints: [PATCH, PATCH] },
  });
  const seen = graph.node("Relu", [patches], "seen");
  const row = graph.node("Flatten", [seen], "row", { axis: { int: 1 } });
  graph.output(graph.node("MatMul", [row, projection], "image_embeds"), ["batch", SIZE]);
  return graph.toBytes();
}

async function encodeGolden(model: Uint8Array): Promise<Float32Array> {
  const encoder = await openEncoder(model, CROP);
  try {
    return await encoder.encode(goldenInput(PREPROCESSING));
  } finally {
    await encoder.close();
  }
}

/** Numbers around 0 with a standard deviation. */
type Draw = (count: number, deviation: number) => Float32Array;

/** Gaussian numbers by Box and Muller, of a linear congruential generator modulo 2^32. */
function gaussian(seed: number): Draw {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const one = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return (count, deviation) => Float32Array.from({ length: count }, () => one() * deviation);
}
