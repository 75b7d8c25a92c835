/**
 * The bundle's manifest: what a bundle says of itself. The schema is the check: unknown fields are dropped, so that a
 * newer writer's bundle still reads, and an unknown major format is refused.
 */

import * as z from "zod";
import type { ResizeMode } from "./preprocess.ts";
import type { Interpolation } from "./resample.ts";
import { type Normalization, NORMALIZATIONS } from "./scoring.ts";

/** The major version that this code reads and writes. */
export const FORMAT = 1;

/** The file, in a bundle, that says everything. */
export const MANIFEST_PATH = "manifest.json";

/** A file of a bundle. */
export interface BundleFile {
  /** Relative to the bundle, with `/`. */
  path: string;
  /** Length. */
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
}

/** How near a quantised encoder comes to the float one. */
export interface ManifestParity {
  /** SHA-256 of the float one, hexadecimal. */
  float: string;
  /** How far its golden embedding may lie from the float one's, in place of the bundle's tolerance. */
  tolerance: number;
  /** The least cosine of its embeddings to the float ones. */
  cosineMin: number;
  /** Their median. */
  cosineMedian: number;
  /** Over how many pictures. */
  pictures: number;
  /**
   * By taxonomy, the share of the pictures whose best label by prompts is the float encoder's: the least over the backends
   * that it was measured on. Absent from older bundles, as are the fields below.
   */
  agreement?: { taxonomy: string; share: number }[] | undefined;
  /** By backend, its median time as a part of the float encoder's, on the machine that made it. */
  latency?: { backend: string; ratio: number }[] | undefined;
  /** The nodes that stayed in floats, and their part of the weights that could be quantised; absent where none did. */
  kept?: { nodes: string[]; share: number } | undefined;
}

/** One variant of the encoder. */
export interface ManifestEncoder {
  /** ONNX: `[N, 3, S, S]` to `[N, D]`. */
  file: BundleFile;
  /** Weights beside it, in its folder, under the names that it knows them by. */
  externalData?: BundleFile[] | undefined;
  /** Of the weights: `float32`, `float16`, `int8`. */
  precision: string;
  /** Measured when it was made; absent where it is the float encoder itself. */
  parity?: ManifestParity | undefined;
  /** Those that it is meant for: `wasm`, `native`, `webgpu`. */
  backends: string[];
  /** Sizes in pixels, as in `Preprocessing`. */
  input: { resize: number; crop: number };
  /** Subtracted from values in 0..1. */
  mean: [number, number, number];
  /** Divides what is left. */
  std: [number, number, number];
  /** The resampling filter. */
  interpolation: Interpolation;
  /** Whether the shorter side is resized or both are; read as `shortest` from a bundle that does not say. */
  resizeMode?: ResizeMode | undefined;
}

/** One way to answer for a taxonomy. */
export interface ManifestMethod {
  /** `cross-entropy`, `contrastive` or `zero-shot`; one that this code does not know is ignored. */
  method: string;
  /** Which head it uses. */
  head?: string | undefined;
  /** Fitted on validation; the published value is 1. */
  temperature: number;
  /** How its logits become scores; by default `softmax`, which a cross-entropy head always is. */
  normalization?: Normalization | undefined;
  /** Added before a sigmoid; 0 by default. */
  bias?: number | undefined;
  /** Measured on data that the method was not fitted to, by name: `accuracy`, `rocAuc` ... */
  figures?: Record<string, number> | undefined;
  /** What the figures were measured on, in words. */
  measured?: string | undefined;
}

/** An ordered label set, and how it can be answered. */
export interface ManifestTaxonomy {
  /** What answers call it. */
  id: string;
  /** What people read. */
  title: string;
  /** In the order of logits and prompts. */
  labels: { id: string; title: string }[];
  /** Best first, by measured validation. */
  methods: ManifestMethod[];
}

/** How near a quantised text encoder comes to the float one. */
export interface ManifestTextParity {
  /** The least cosine of its embeddings to the float ones. */
  cosineMin: number;
  /** Their median. */
  cosineMedian: number;
  /** Over how many texts. */
  texts: number;
}

/** A text encoder, which lets callers ask for labels of their own. */
export interface ManifestTextEncoder {
  /** That of the pictures. */
  embeddingSpace: string;
  /** ONNX: `[N, L]` token ids to `[N, P]`. */
  file: BundleFile;
  /** Weights beside it, in its folder, under the names that it knows them by. */
  externalData?: BundleFile[] | undefined;
  /** Measured when it was made of a float one; absent where it is as it was found. */
  parity?: ManifestTextParity | undefined;
  /** A hub's `tokenizer.json`. */
  tokenizer: BundleFile;
  /** A hub's `tokenizer_config.json`. */
  tokenizerConfig: BundleFile;
  /** How many tokens it takes, L. */
  contextLength: number;
  /** Divides the cosines: 1 over the model's logit scale. */
  temperature: number;
  /** How they become scores; by default `softmax`. */
  normalization?: Normalization | undefined;
  /** Added before a sigmoid: the model's logit bias; 0 by default. */
  bias?: number | undefined;
}

/** What a bundle says of itself. */
export interface Manifest {
  /** The major version. */
  format: 1;
  /** What answers call the model. */
  name: string;
  /** What encoder, heads and prompts must share; a size alone proves nothing. */
  embeddingSpace: { id: string; size: number };
  /** Variants, in order of preference. */
  encoders: ManifestEncoder[];
  /** A fixed input, by formula, the float encoder's embedding of it, and how far another may lie from that. */
  golden: { formula: "waves-1"; file: BundleFile; tolerance: number };
  /** Each in a file of its own. */
  heads: { id: string; kind: string; embeddingSpace: string; file: BundleFile }[];
  /** Per taxonomy, with the texts that each label's vector was made from. */
  prompts: { taxonomy: string; embeddingSpace: string; texts: string[][]; file: BundleFile }[];
  /** For labels at request time. */
  textEncoder?: ManifestTextEncoder | undefined;
  /** In the order of answers. */
  taxonomies: ManifestTaxonomy[];
  /** Where data and weights come from. */
  provenance: Record<string, string>;
  /** Of the weights, which is not that of the code. */
  license: string;
  /** Markdown that opens the model card. */
  about?: string | undefined;
  /** Markdown. */
  modelCard?: BundleFile | undefined;
}

// Schemas are made without trying whether zod may compile them: a page's strict policy refuses that, and reports it as an attack.
// They are no slower for it, on so little; whoever else uses zod keeps the choice.
const { jitless } = z.config();
z.config({ jitless: true });

const versioned = z.object({ format: z.unknown() });
const id = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "must be lower-case letters, digits, . _ -");
const rgb = z.tuple([z.number(), z.number(), z.number()]);
const positive = z.number().positive();
const count = z.int().positive();
const share = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits");
const file = z.object({
  // A path stays inside the bundle.
  path: z.string().regex(
    /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/,
    "must be a plain relative path",
  ),
  bytes: z.int().nonnegative(),
  sha256,
});

/** One of some names; the error says which was given. */
const oneOf = <const Name extends string>(...names: readonly Name[]) =>
  z.enum(names, {
    error: ({ input }) => `must be ${names.join(" or ")}, and is ${JSON.stringify(input)}`,
  });

const encoder = z.object({
  file,
  externalData: z.array(file).optional(),
  precision: z.string(),
  parity: z.object({
    float: sha256,
    tolerance: positive,
    cosineMin: z.number(),
    cosineMedian: z.number(),
    pictures: count,
    agreement: z.array(z.object({ taxonomy: id, share })).optional(),
    latency: z.array(z.object({ backend: z.string(), ratio: z.number().nonnegative() })).optional(),
    kept: z.object({ nodes: z.array(z.string()).min(1), share }).optional(),
  }).optional(),
  backends: z.array(z.string()).min(1),
  input: z.object({ resize: count, crop: count })
    .refine(({ resize, crop }) => crop <= resize, "crop must be at most resize"),
  mean: rgb,
  std: rgb.refine((std) => std.every((v) => v > 0), "must be above 0"),
  interpolation: oneOf("bicubic", "bilinear"),
  resizeMode: oneOf("shortest", "squash").default("shortest"),
}).refine(({ input, resizeMode }) => resizeMode !== "squash" || input.crop === input.resize, {
  path: ["input"],
  message: "crop must be resize where resizeMode is squash",
});

const scoring = {
  normalization: oneOf(...NORMALIZATIONS).optional(),
  bias: z.number().optional(),
};

/** Softmax gives the same whatever is added to all logits: a bias there is a mistake. */
const hasBiasForSigmoid = (
  { normalization, bias }: { normalization?: Normalization | undefined; bias?: number | undefined },
) => bias === undefined || normalization === "sigmoid";
const BIAS_ALONE = { path: ["bias"], message: "goes with normalization sigmoid alone" };

const method = z.object({
  method: z.string(),
  head: id.optional(),
  temperature: positive.default(1),
  ...scoring,
  figures: z.record(z.string(), z.number()).optional(),
  measured: z.string().optional(),
}).refine(hasBiasForSigmoid, BIAS_ALONE).refine(
  ({ method, normalization }) => method !== "cross-entropy" || normalization !== "sigmoid",
  { path: ["normalization"], message: "a cross-entropy head is trained for softmax" },
);

const taxonomy = z.object({
  id,
  title: z.string(),
  labels: z.array(z.object({ id, title: z.string() })).min(2),
  methods: z.array(method).min(1),
});

const manifest: z.ZodType<Manifest> = z.object({
  format: z.literal(FORMAT),
  name: id,
  embeddingSpace: z.object({ id: z.string().min(1), size: count }),
  encoders: z.array(encoder).min(1),
  golden: z.object({ formula: z.literal("waves-1"), file, tolerance: positive }),
  heads: z.array(z.object({
    id,
    kind: z.string(),
    embeddingSpace: z.string(),
    file,
  })),
  prompts: z.array(z.object({
    taxonomy: id,
    embeddingSpace: z.string(),
    texts: z.array(z.array(z.string())),
    file,
  })),
  textEncoder: z.object({
    embeddingSpace: z.string(),
    file,
    externalData: z.array(file).optional(),
    parity: z.object({ cosineMin: z.number(), cosineMedian: z.number(), texts: count }).optional(),
    tokenizer: file,
    tokenizerConfig: file,
    contextLength: z.int().min(2),
    temperature: positive,
    ...scoring,
  }).refine(hasBiasForSigmoid, BIAS_ALONE).optional(),
  taxonomies: z.array(taxonomy).min(1),
  provenance: z.record(z.string(), z.string()),
  license: z.string(),
  about: z.string().optional(),
  modelCard: file.optional(),
});

z.config({ jitless });

/**
 * Reads a manifest.
 *
 * @param json parsed JSON, of anything
 * @returns the manifest, without the fields that this code does not know
 * @throws {Error} that says which field is wrong and why
 */
export function parseManifest(json: unknown): Manifest {
  const format = versioned.safeParse(json).data?.format;
  if (format !== undefined && format !== FORMAT) {
    throw new Error(`its format is ${format}, and this version reads format ${FORMAT}`);
  }
  const result = manifest.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new Error(`${issue.path.join(".") || "it"}: ${issue.message}`);
  }
  checkReferences(result.data);
  return result.data;
}

/** What the schema alone cannot say: that the parts fit together. */
function checkReferences(manifest: Manifest): void {
  const space = manifest.embeddingSpace.id;
  checkUnique("head", manifest.heads.map(({ id }) => id));
  checkUnique("taxonomy", manifest.taxonomies.map(({ id }) => id));
  checkUnique("prompts of taxonomy", manifest.prompts.map(({ taxonomy }) => taxonomy));
  for (const { id, labels } of manifest.taxonomies) {
    checkUnique(`taxonomy ${id} label`, labels.map((label) => label.id));
  }
  for (const { id, embeddingSpace } of manifest.heads) {
    if (embeddingSpace !== space) {
      throw new Error(`head ${id} is for the space ${embeddingSpace}, the encoder's is ${space}`);
    }
  }
  const { textEncoder } = manifest;
  for (const model of [...manifest.encoders, ...(textEncoder ? [textEncoder] : [])]) {
    const folder = model.file.path.slice(0, model.file.path.lastIndexOf("/") + 1);
    const stray = model.externalData?.find(({ path }) => !path.startsWith(folder));
    if (stray) throw new Error(`the weights ${stray.path} do not lie beside ${model.file.path}`);
  }
  if (textEncoder && textEncoder.embeddingSpace !== space) {
    throw new Error(
      `the text encoder is of the space ${textEncoder.embeddingSpace}, the encoder's is ${space}`,
    );
  }
  for (const { taxonomy, embeddingSpace, texts } of manifest.prompts) {
    if (embeddingSpace !== space) {
      throw new Error(
        `the prompts of ${taxonomy} are of the space ${embeddingSpace}, the encoder's is ${space}`,
      );
    }
    const labels = manifest.taxonomies.find(({ id }) => id === taxonomy)?.labels;
    if (labels && labels.length !== texts.length) {
      throw new Error(
        `taxonomy ${taxonomy} has ${labels.length} labels, but prompts for ${texts.length}`,
      );
    }
  }
  for (const taxonomy of manifest.taxonomies) {
    checkUnique(`taxonomy ${taxonomy.id} method`, taxonomy.methods.map(({ method }) => method));
    for (const { method, head } of taxonomy.methods) {
      if (head === undefined && ["cross-entropy", "contrastive"].includes(method)) {
        throw new Error(`taxonomy ${taxonomy.id} answers ${method}, but names no head`);
      }
      if (head !== undefined && !manifest.heads.some(({ id }) => id === head)) {
        throw new Error(
          `taxonomy ${taxonomy.id} answers ${method} by the head ${head}, which is not listed`,
        );
      }
    }
  }
}

function checkUnique(what: string, ids: readonly string[]): void {
  const repeated = ids.find((id, i) => ids.indexOf(id) !== i);
  if (repeated !== undefined) throw new Error(`${what} ${repeated} is listed more than once`);
}

/**
 * Every file that a manifest names, but for the model card.
 *
 * @param manifest of a bundle
 */
export function filesOf(manifest: Manifest): BundleFile[] {
  const { golden, encoders, heads, prompts, textEncoder } = manifest;
  return [
    ...[golden, ...encoders, ...heads, ...prompts].map(({ file }) => file),
    ...(textEncoder ? [textEncoder.file, textEncoder.tokenizer, textEncoder.tokenizerConfig] : []),
    ...[...encoders, ...(textEncoder ? [textEncoder] : [])].flatMap(({ externalData = [] }) =>
      externalData
    ),
  ];
}
