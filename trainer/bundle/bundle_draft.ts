/**
 * A bundle in the making: its manifest and its files, in step with each other. Each function gives a new draft; the same
 * steps give the same bytes.
 */

import {
  type BundleFile,
  describeFile,
  type Head,
  type LabelName,
  type Manifest,
  MANIFEST_PATH,
  type ManifestEncoder,
  type ManifestMethod,
  type ManifestTextParity,
  type Prompts,
  type Scoring,
  type Taxonomy,
  writeGolden,
  writeHead,
  writeManifest,
  writePrompts,
} from "@clip-e/shared";
import type { BundleFiles } from "./bundle_folder.ts";
import type { EncoderFile } from "../encoder/encoder_file.ts";
import type { EncoderVariant } from "../encoder/encoder_variants.ts";
import type { ExternalData } from "../encoder/external_data.ts";
import { writeModelCard } from "./model_card.ts";
import { type OnnxPrecision, onnxPrecision } from "../encoder/onnx_precision.ts";

/** A bundle in the making. */
export interface BundleDraft {
  /** What it says of itself so far. */
  readonly manifest: Manifest;
  /** Its files, but for the manifest and the model card. */
  readonly files: BundleFiles;
}

/** What a bundle is called and whose it is. */
export interface BundleIdentity {
  /** What answers call the model. */
  readonly name: string;
  /** The id of the embedding space. */
  readonly embeddingSpace: string;
  /** Of the weights. */
  readonly license: string;
  /** Where the encoder comes from, in words. */
  readonly encoderOrigin: string;
  /** Markdown that opens the model card. */
  readonly about: string;
}

/**
 * How far an embedding may lie from the golden one, by what the encoder's weights are: float kernels differ by less than a
 * thousandth of this, 8-bit ones by 0.012 (ViT-B/32, WebAssembly against native).
 */
const GOLDEN_TOLERANCE: Readonly<Record<OnnxPrecision, number>> = {
  float32: 1e-3,
  float16: 1e-2,
  int8: 5e-2,
};

const GOLDEN_PATH = "golden.safetensors";
const ENCODER_PATH = "encoder.onnx";
const TEXT_ENCODER_PATH = "text/encoder.onnx";
const CARD_PATH = "README.md";

/**
 * Begins a bundle around an encoder.
 *
 * @param encoder open, whose embeddings are the bundle's
 * @param identity what the bundle is
 * @param variants of it, in order of preference; by default the encoder itself
 * @throws {TrainerError} when the encoder is not ONNX
 */
export async function beginBundle(
  encoder: EncoderFile,
  identity: BundleIdentity,
  variants: readonly EncoderVariant[] = [asItIs(encoder)],
): Promise<BundleDraft> {
  const { resize, crop, mean, std, interpolation, resizeMode = "shortest" } = encoder.preprocessing;
  const golden = writeGolden(encoder.goldenEmbedding);
  const precision = onnxPrecision(encoder.bytes);
  const manifest: Manifest = {
    format: 1,
    name: identity.name,
    embeddingSpace: { id: identity.embeddingSpace, size: encoder.goldenEmbedding.length },
    encoders: await Promise.all(variants.map(async (variant): Promise<ManifestEncoder> => ({
      file: await describeFile(pathOf(variant), variant.bytes),
      ...await describeExternalData(pathOf(variant), variant.externalData),
      precision: variant.precision,
      ...(variant.parity && { parity: variant.parity }),
      backends: [...variant.backends],
      input: { resize, crop },
      mean: [...mean],
      std: [...std],
      interpolation,
      resizeMode,
    }))),
    golden: {
      formula: "waves-1",
      file: await describeFile(GOLDEN_PATH, golden),
      tolerance: GOLDEN_TOLERANCE[precision],
    },
    heads: [],
    prompts: [],
    taxonomies: [],
    provenance: { encoder: identity.encoderOrigin },
    license: identity.license,
    ...(identity.about.trim() !== "" && { about: identity.about.trim() }),
  };
  const files = new Map([
    [GOLDEN_PATH, golden],
    ...variants.flatMap((variant) => [
      [pathOf(variant), variant.bytes] as const,
      ...withExternalData(pathOf(variant), variant.externalData),
    ]),
  ]);
  return { manifest, files };
}

/** An encoder that is taken as the user gives it. */
function asItIs({ bytes, externalData }: EncoderFile): EncoderVariant {
  return { bytes, externalData, precision: onnxPrecision(bytes), backends: ["wasm", "native"] };
}

/** What was made of the encoder lies in a folder of its own, with its weights. */
function pathOf({ precision, parity }: EncoderVariant): string {
  return parity ? `${precision}/${ENCODER_PATH}` : ENCODER_PATH;
}

/** Weights lie beside their model, under the names that it knows them by. */
function withExternalData(
  model: string,
  externalData: readonly ExternalData[],
): [path: string, bytes: Uint8Array<ArrayBuffer>][] {
  const folder = model.slice(0, model.lastIndexOf("/") + 1);
  return externalData.map(({ path, bytes }) => [folder + path, bytes]);
}

async function describeExternalData(
  model: string,
  externalData: readonly ExternalData[],
): Promise<{ externalData?: BundleFile[] }> {
  if (externalData.length === 0) return {};
  const files = withExternalData(model, externalData);
  return {
    externalData: await Promise.all(files.map(([path, bytes]) => describeFile(path, bytes))),
  };
}

/**
 * Adds a head, or puts it in the place of the one by its id.
 *
 * @param draft to add to
 * @param id of the head
 * @param head the head
 * @param origin how and on what it was trained, in words
 */
export async function withHead(
  { manifest, files }: BundleDraft,
  id: string,
  head: Head,
  origin: string,
): Promise<BundleDraft> {
  const path = `heads/${id}.safetensors`;
  const bytes = writeHead(head);
  const entry = {
    id,
    kind: head.kind,
    embeddingSpace: manifest.embeddingSpace.id,
    file: await describeFile(path, bytes),
  };
  return {
    manifest: {
      ...manifest,
      heads: [...manifest.heads.filter((other) => other.id !== id), entry],
      provenance: { ...manifest.provenance, [`heads/${id}`]: origin },
    },
    files: new Map(files).set(path, bytes),
  };
}

/**
 * Adds a taxonomy's prompts, or puts them in the place of those that it has.
 *
 * @param draft to add to
 * @param taxonomy its id
 * @param texts per label, in order, what its vector was made from
 * @param prompts unit vectors, in label order
 */
export async function withPrompts(
  { manifest, files }: BundleDraft,
  taxonomy: string,
  texts: readonly (readonly string[])[],
  prompts: Prompts,
): Promise<BundleDraft> {
  const path = `prompts/${taxonomy}.safetensors`;
  const bytes = writePrompts(prompts);
  const entry = {
    taxonomy,
    embeddingSpace: manifest.embeddingSpace.id,
    texts: texts.map((some) => [...some]),
    file: await describeFile(path, bytes),
  };
  return {
    manifest: {
      ...manifest,
      prompts: [...manifest.prompts.filter((other) => other.taxonomy !== taxonomy), entry],
    },
    files: new Map(files).set(path, bytes),
  };
}

/** A text encoder's files. */
export interface TextEncoderFiles {
  /** ONNX. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Weights beside it. */
  readonly externalData: readonly ExternalData[];
  /** A hub's `tokenizer.json`. */
  readonly tokenizer: Uint8Array<ArrayBuffer>;
  /** A hub's `tokenizer_config.json`. */
  readonly tokenizerConfig: Uint8Array<ArrayBuffer>;
  /** How many tokens it takes. */
  readonly contextLength: number;
  /** How cosines become scores. */
  readonly scoring: Scoring;
}

/**
 * Adds the text encoder, for labels at request time.
 *
 * @param draft to add to
 * @param text of the pictures' space
 * @param parity of one that was quantised
 */
export async function withTextEncoder(
  { manifest, files }: BundleDraft,
  { model, externalData, tokenizer, tokenizerConfig, contextLength, scoring }: TextEncoderFiles,
  parity?: ManifestTextParity,
): Promise<BundleDraft> {
  const entry = {
    embeddingSpace: manifest.embeddingSpace.id,
    file: await describeFile(TEXT_ENCODER_PATH, model),
    ...await describeExternalData(TEXT_ENCODER_PATH, externalData),
    ...(parity && { parity }),
    tokenizer: await describeFile("text/tokenizer.json", tokenizer),
    tokenizerConfig: await describeFile("text/tokenizer_config.json", tokenizerConfig),
    contextLength,
    ...scoring,
  };
  return {
    manifest: { ...manifest, textEncoder: entry },
    files: new Map([
      ...files,
      [entry.file.path, model],
      ...withExternalData(TEXT_ENCODER_PATH, externalData),
      [entry.tokenizer.path, tokenizer],
      [entry.tokenizerConfig.path, tokenizerConfig],
    ]),
  };
}

/** What comes first where nothing was measured. */
const UNMEASURED_ORDER = ["cross-entropy", "contrastive", "zero-shot"];

/**
 * Adds a way to answer for a taxonomy, or puts it in the place of the one by its name. Methods stand in the order of their
 * accuracy on validation (of an older bundle, as measured), then those that were not measured.
 *
 * @param draft to add to
 * @param taxonomy whose labels it answers with; begun if need be
 * @param method how
 */
export function withMethod(
  { manifest, files }: BundleDraft,
  { id, title, labels }: Taxonomy<LabelName>,
  method: ManifestMethod,
): BundleDraft {
  const known = manifest.taxonomies.find((taxonomy) => taxonomy.id === id);
  const others = known?.methods.filter((entry) => entry.method !== method.method) ?? [];
  const accuracy = ({ figures }: ManifestMethod) =>
    figures?.validationAccuracy ?? figures?.accuracy ?? -1;
  const rank = (entry: ManifestMethod) => UNMEASURED_ORDER.indexOf(entry.method);
  const taxonomy = {
    id,
    title,
    labels: labels.map(({ id, title }) => ({ id, title })),
    methods: [method, ...others].sort((a, b) => accuracy(b) - accuracy(a) || rank(a) - rank(b)),
  };
  const taxonomies = known
    ? manifest.taxonomies.map((entry) => entry === known ? taxonomy : entry)
    : [...manifest.taxonomies, taxonomy];
  return { manifest: { ...manifest, taxonomies }, files };
}

/**
 * Finishes a bundle: writes its model card and its manifest.
 *
 * @param draft with at least one method
 * @returns every file
 * @throws {ClipEError} `invalid-bundle`, when a reader would refuse it
 */
export async function finishBundle(draft: BundleDraft): Promise<BundleFiles> {
  const { manifest, files } = withoutIdleHeads(draft);
  const card = new TextEncoder().encode(writeModelCard(manifest));
  const modelCard = await describeFile(CARD_PATH, card);
  return new Map(files)
    .set(CARD_PATH, card)
    .set(MANIFEST_PATH, writeManifest({ ...manifest, modelCard }));
}

/** Leaves out heads that no method uses any more, since another took their place. */
function withoutIdleHeads({ manifest, files }: BundleDraft): BundleDraft {
  const used = new Set(manifest.taxonomies.flatMap(({ methods }) => methods.map((m) => m.head)));
  const idle = manifest.heads.filter(({ id }) => !used.has(id));
  const left = new Map(files);
  const provenance = { ...manifest.provenance };
  for (const { id, file } of idle) {
    left.delete(file.path);
    delete provenance[`heads/${id}`];
  }
  const heads = manifest.heads.filter(({ id }) => used.has(id));
  return { manifest: { ...manifest, heads, provenance }, files: left };
}
