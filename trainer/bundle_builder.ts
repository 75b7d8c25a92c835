/**
 * A trained head to a bundle: a new one around its encoder, or one more head in a bundle of the same encoder.
 */

import {
  type CrossEntropyHead,
  describeFile,
  type Manifest,
  MANIFEST_PATH,
  type ManifestMethod,
  type ManifestTaxonomy,
  type Taxonomy,
  writeGolden,
  writeHead,
  writeManifest,
} from "@clip-e/shared";
import type { BundleFiles, BundleOnDisk } from "./bundle_folder.ts";
import type { EncoderFile } from "./encoder_file.ts";
import { TrainerError } from "./errors.ts";
import { writeModelCard } from "./model_card.ts";

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

/** A trained head, with what is known of it. */
export interface TrainedHead {
  /** What it answers. */
  readonly taxonomy: Pick<Taxonomy, "id" | "title" | "labels">;
  /** The head. */
  readonly head: CrossEntropyHead;
  /** Fitted on validation. */
  readonly temperature: number;
  /** Measured on pictures that it was not fitted to. */
  readonly figures: Readonly<Record<string, number>>;
  /** What the figures were measured on, in words. */
  readonly measured: string;
  /** How and on what it was trained, in words. */
  readonly training: string;
}

/** How far an embedding may lie from the golden one: float kernels differ by less than a thousandth of this. */
const GOLDEN_TOLERANCE = 1e-3;

const GOLDEN_PATH = "golden.safetensors";
const ENCODER_PATH = "encoder.onnx";
const CARD_PATH = "README.md";

/**
 * Refuses a bundle whose encoder is another one, before any work is done.
 *
 * @param existing the bundle that a head shall be added to
 * @param encoder what the head would be for
 * @param identity what the bundle would be
 * @throws {TrainerError} saying what differs
 */
export function checkSameEncoder(
  existing: BundleOnDisk,
  encoder: EncoderFile,
  identity: BundleIdentity,
): void {
  const { name, encoders, embeddingSpace } = existing.bundle.manifest;
  if (encoders.some(({ file }) => file.sha256 === encoder.sha256)) {
    if (embeddingSpace.id === identity.embeddingSpace) return;
    throw new TrainerError(
      `Cannot add a head to the bundle ${name}: its embedding space is ${embeddingSpace.id}, ` +
        `not ${identity.embeddingSpace}`,
    );
  }
  throw new TrainerError(
    `Cannot add a head to the bundle ${name}: it has another encoder. Name a new folder`,
  );
}

/**
 * Makes the files of a bundle.
 *
 * @param existing a bundle of the same encoder, whose other heads are kept
 * @param encoder which the head was trained on
 * @param identity what the bundle is
 * @param trained the head
 * @returns every file, the same bytes for the same input
 */
export async function buildBundle(
  existing: BundleOnDisk | undefined,
  encoder: EncoderFile,
  identity: BundleIdentity,
  trained: TrainedHead,
): Promise<BundleFiles> {
  const files = new Map(existing?.files ?? []);
  const add = async (path: string, bytes: Uint8Array<ArrayBuffer>) => {
    files.set(path, bytes);
    return await describeFile(path, bytes);
  };
  const { taxonomy } = trained;
  const headId = `cross-entropy-${taxonomy.id}`;
  const base = existing?.bundle.manifest ?? await newManifest(encoder, identity, add);
  const head = {
    id: headId,
    kind: trained.head.kind,
    embeddingSpace: base.embeddingSpace.id,
    file: await add(`heads/${headId}.safetensors`, writeHead(trained.head)),
  };
  const manifest: Manifest = {
    ...base,
    heads: [...base.heads.filter(({ id }) => id !== headId), head],
    taxonomies: withMethod(base.taxonomies, taxonomy, {
      method: "cross-entropy",
      head: headId,
      temperature: trained.temperature,
      figures: { ...trained.figures },
      measured: trained.measured,
    }),
    provenance: { ...base.provenance, [`heads/${headId}`]: trained.training },
  };
  const card = new TextEncoder().encode(writeModelCard(manifest, identity.about));
  const modelCard = await add(CARD_PATH, card);
  files.set(MANIFEST_PATH, writeManifest({ ...manifest, modelCard }));
  return files;
}

async function newManifest(
  encoder: EncoderFile,
  identity: BundleIdentity,
  add: (path: string, bytes: Uint8Array<ArrayBuffer>) => ReturnType<typeof describeFile>,
): Promise<Manifest> {
  const { resize, crop, mean, std, interpolation } = encoder.preprocessing;
  return {
    format: 1,
    name: identity.name,
    embeddingSpace: { id: identity.embeddingSpace, size: encoder.goldenEmbedding.length },
    encoders: [{
      file: await add(ENCODER_PATH, encoder.bytes),
      precision: "float32",
      backends: ["wasm"],
      input: { resize, crop },
      mean: [...mean],
      std: [...std],
      interpolation,
    }],
    golden: {
      formula: "waves-1",
      file: await add(GOLDEN_PATH, writeGolden(encoder.goldenEmbedding)),
      tolerance: GOLDEN_TOLERANCE,
    },
    heads: [],
    prompts: [],
    taxonomies: [],
    provenance: { encoder: identity.encoderOrigin },
    license: identity.license,
  };
}

/** Adds or replaces a taxonomy's method, and keeps the methods in the order of their measured accuracy. */
function withMethod(
  taxonomies: readonly ManifestTaxonomy[],
  { id, title, labels }: TrainedHead["taxonomy"],
  method: ManifestMethod,
): ManifestTaxonomy[] {
  const known = taxonomies.find((taxonomy) => taxonomy.id === id);
  const others = known?.methods.filter((entry) => entry.method !== method.method) ?? [];
  const accuracy = (entry: ManifestMethod) => entry.figures?.accuracy ?? 0;
  const taxonomy: ManifestTaxonomy = {
    id,
    title,
    labels: labels.map(({ id, title }) => ({ id, title })),
    methods: [method, ...others].sort((a, b) => accuracy(b) - accuracy(a)),
  };
  return known
    ? taxonomies.map((entry) => entry === known ? taxonomy : entry)
    : [...taxonomies, taxonomy];
}
