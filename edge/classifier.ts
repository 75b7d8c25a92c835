/**
 * The classifier: picture bytes in, scores out. The straight line of a request, in one place:
 * bytes -> decode -> picture -> preprocess -> encode -> embedding -> head or prompts -> scores.
 */

import {
  type Bundle,
  type BundleSource,
  ClipEError,
  goldenInput,
  type ManifestEncoder,
  openBundle,
  type PartFault,
  preprocess,
  type Preprocessing,
  relativeDistance,
} from "@clip-e/shared";
import type { Backend } from "./backend/backend.ts";
import { wasmBackend } from "./backend/wasm.ts";
import { readExternalData } from "./bundled_model.ts";
import { decodePicture } from "./decode/decode_picture.ts";
import { createDecoders, type DecoderModules } from "./decode/decoders.ts";
import type { Decode } from "./decode/sharp_decoder.ts";
import { type Encoder, openEncoder } from "./encoder.ts";
import { httpSource } from "./http_source.ts";
import { createLabelScorer } from "./label_scorer.ts";
import { describeTaxonomies, findMisfits, type ModelInfo } from "./model_info.ts";
import { type ClassifyOptions, planPredictions } from "./plan.ts";
import { createQueue } from "./queue.ts";
import { type Prediction, scoreEmbedding } from "./score.ts";

/** Milliseconds that each part took; zeros where the clock stands still while code runs. */
export type Timings = Readonly<Record<"decode" | "preprocess" | "encode" | "score", number>>;

/** A picture's size, upright, in pixels. */
export interface ImageSize {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** What a picture evokes. */
export interface Classification {
  /** The picture's size. */
  readonly image: ImageSize;
  /** One of each taxonomy. */
  readonly predictions: readonly Prediction[];
  /** How long it took. */
  readonly timings: Timings;
}

/** A picture's place in the embedding space. */
export interface PictureEmbedding {
  /** The picture's size. */
  readonly image: ImageSize;
  /** `[D]`, as the encoder gives it, not normalised. */
  readonly embedding: Float32Array;
  /** How long it took. */
  readonly timings: Timings;
}

/** Answers for pictures. */
export interface Classifier {
  /** What it says of its model. */
  readonly model: ModelInfo;
  /** How many pictures it computes at once; more wait. */
  readonly concurrency: number;
  /**
   * Says what a picture evokes.
   *
   * @param picture a JPEG, PNG or WebP file; do not use the bytes afterwards, they may have been handed over
   * @throws {ClipEError} with the code that says why not
   */
  classify(picture: Uint8Array<ArrayBuffer>, options?: ClassifyOptions): Promise<Classification>;
  /**
   * Embeds a picture.
   *
   * @param picture a JPEG, PNG or WebP file; do not use the bytes afterwards, they may have been handed over
   * @throws {ClipEError} with the code that says why not
   */
  embed(picture: Uint8Array<ArrayBuffer>): Promise<PictureEmbedding>;
  /**
   * Says what an embedding evokes, such as one that `embed` gave earlier.
   *
   * @param embedding `[D]`, of the model's embedding space, not normalised
   * @throws {ClipEError} `invalid-embedding`, or the code that says why not
   */
  score(embedding: Float32Array, options?: ClassifyOptions): Promise<readonly Prediction[]>;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** Options of {@link createClassifier}. */
export interface ClassifierOptions {
  /** Where the bundle's files are: a source, or the URL of its folder, which is read as by `httpSource(url)`. */
  readonly bundle: BundleSource | string | URL;
  /** The expected digest of the bundle's manifest, `sha256:...`; another is refused. */
  readonly digest?: string;
  /** A larger picture is refused by its header. By default 50 million. */
  readonly maxPixels?: number;
  /** What may run the encoders, best first; the first that proves itself does. By default WebAssembly. */
  readonly backends?: readonly Backend[];
  /** Where the decoders' WebAssembly comes from; by default, from their packages. */
  readonly decoders?: DecoderModules;
  /** Decodes pictures in place of the WebAssembly decoders; must give the same bytes and refusals. */
  readonly decode?: Decode;
}

/** What `maxPixels` is by default. Decoding a progressive JPEG takes up to about 40 bytes of memory a pixel. */
export const DEFAULT_MAX_PIXELS = 50_000_000;

/**
 * Opens a bundle and makes a classifier that computes in this thread, one picture after another.
 *
 * @param options the bundle, and limits
 * @throws {ClipEError} `invalid-bundle`, when the bundle cannot be read, its manifest is not valid or no encoder proves itself
 *
 * @example
 * ```ts ignore
 * const classifier = await createClassifier({ bundle: "https://models.example.com/clip-e/" });
 * const { predictions } = await classifier.classify(await Deno.readFile("photo.jpg"));
 * ```
 */
export async function createClassifier(options: ClassifierOptions): Promise<Classifier> {
  const { maxPixels = DEFAULT_MAX_PIXELS, backends = [wasmBackend], digest } = options;
  const pin = digest === undefined ? {} : { digest };
  const source = typeof options.bundle === "string" || options.bundle instanceof URL
    ? httpSource(options.bundle, pin)
    : options.bundle;
  const bundle = await openBundle(source, pin);
  const { encoder, entry, backend, faults } = await openProvenEncoder(bundle, backends);
  const decode = options.decode ?? wasmDecode(options.decoders);
  const model = describeModel(bundle, encoder, entry, faults);
  const preprocessing = preprocessingOf(entry);
  // One picture after another: decoded ones in memory would add up.
  const inTurn = createQueue();
  const { textEncoder } = bundle.manifest;
  const labelScorer = textEncoder && createLabelScorer(bundle, textEncoder, backend);

  async function embed(picture: Uint8Array): Promise<PictureEmbedding> {
    const start = performance.now();
    const pixels = await decode(picture, maxPixels);
    const decoded = performance.now();
    const input = preprocess(pixels, preprocessing);
    const preprocessed = performance.now();
    const embedding = await encoder.encode(input);
    const encoded = performance.now();
    return {
      image: { width: pixels.width, height: pixels.height },
      embedding,
      timings: {
        decode: decoded - start,
        preprocess: preprocessed - decoded,
        encode: encoded - preprocessed,
        score: 0,
      },
    };
  }

  async function score(
    embedding: Float32Array,
    options: ClassifyOptions = {},
  ): Promise<readonly Prediction[]> {
    const { labels, top } = options;
    checkEmbedding(embedding, model.embeddingSpace.size);
    const plan = planPredictions(model, options);
    if (labels && labelScorer) return [await labelScorer.score(embedding, labels, top)];
    return plan.map((planned) => scoreEmbedding(bundle, planned, embedding, top));
  }

  return {
    model,
    concurrency: 1,
    score,
    embed: (picture) => inTurn(() => embed(picture)),
    classify: async (picture, options) => {
      planPredictions(model, options);
      const { image, embedding, timings } = await inTurn(() => embed(picture));
      const start = performance.now();
      const predictions = await score(embedding, options);
      return { image, predictions, timings: { ...timings, score: performance.now() - start } };
    },
    close: async () => {
      await labelScorer?.close();
      await encoder.close();
    },
  };
}

function wasmDecode(modules?: DecoderModules): Decode {
  const decoders = createDecoders(modules);
  return (picture, maxPixels) => decodePicture(picture, decoders, maxPixels);
}

/**
 * Refuses what cannot be an embedding of the space.
 *
 * @param embedding numbers
 * @param size D
 * @throws {ClipEError} `invalid-embedding`
 */
function checkEmbedding(embedding: Float32Array, size: number): void {
  if (embedding.length !== size) {
    throw new ClipEError(
      "invalid-embedding",
      `The embedding has ${embedding.length} numbers, and those of this model have ${size}`,
    );
  }
  if (!embedding.every(Number.isFinite)) {
    throw new ClipEError("invalid-embedding", "The embedding holds a number that is not finite");
  }
}

/**
 * The preprocessing that a manifest asks for.
 *
 * @param entry an encoder of the manifest
 */
export function preprocessingOf(entry: ManifestEncoder): Preprocessing {
  const { input, mean, std, interpolation, resizeMode } = entry;
  return { ...input, mean, std, interpolation, resizeMode };
}

/** An encoder that reproduced the golden embedding. */
interface ProvenEncoder {
  readonly encoder: Encoder;
  readonly entry: ManifestEncoder;
  readonly backend: Backend;
  /** Those before it that did not. */
  readonly faults: readonly PartFault[];
}

/** Opens the first encoder that proves itself, on the first backend that has one. */
async function openProvenEncoder(
  bundle: Bundle,
  backends: readonly Backend[],
): Promise<ProvenEncoder> {
  const faults: PartFault[] = [];
  for (const backend of backends) {
    for (const entry of encodersFor(backend, bundle.manifest.encoders)) {
      try {
        const externalData = await readExternalData(bundle, entry);
        const model = await bundle.readEncoder(entry);
        const encoder = await openEncoder(model, entry.input.crop, { backend, externalData });
        await proveEncoder(bundle, encoder, entry);
        return { encoder, entry, backend, faults };
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        faults.push({
          part: `encoders/${entry.file.path}`,
          fault: "invalid",
          detail: `${detail} (on the backend ${backend.name})`,
        });
      }
    }
  }
  const why = faults.length > 0
    ? faults.map(({ detail }) => detail).join("; ")
    : `none of its encoders is for the backend ${backends.map(({ name }) => name).join(" or ")}`;
  throw new ClipEError("invalid-bundle", `Cannot use the bundle ${bundle.manifest.name}: ${why}`);
}

/** What a backend runs, best first. */
function encodersFor(
  { name, takes = [name] }: Backend,
  encoders: readonly ManifestEncoder[],
): ReadonlySet<ManifestEncoder> {
  return new Set(
    takes.flatMap((kind) => encoders.filter((entry) => entry.backends.includes(kind))),
  );
}

async function proveEncoder(
  bundle: Bundle,
  encoder: Encoder,
  entry: ManifestEncoder,
): Promise<void> {
  const embedding = await encoder.encode(goldenInput(preprocessingOf(entry)));
  const distance = relativeDistance(embedding, bundle.goldenEmbedding);
  const { tolerance } = entry.parity ?? bundle.manifest.golden;
  if (distance <= tolerance) return;
  await encoder.close();
  throw new ClipEError(
    "invalid-bundle",
    `${entry.file.path} does not reproduce the golden embedding: it is off by ${
      distance.toPrecision(3)
    }, at most ${tolerance} is allowed`,
  );
}

function describeModel(
  bundle: Bundle,
  encoder: Encoder,
  entry: ManifestEncoder,
  faults: readonly PartFault[],
): ModelInfo {
  const { manifest, digest, modelCard } = bundle;
  return {
    name: manifest.name,
    bundle: digest,
    embeddingSpace: manifest.embeddingSpace,
    encoder: {
      file: entry.file.path,
      precision: entry.precision,
      backend: encoder.backend,
      crop: entry.input.crop,
    },
    taxonomies: describeTaxonomies(bundle),
    ...(manifest.textEncoder && { servesLabels: true }),
    faults: [...faults, ...bundle.faults, ...findMisfits(bundle)],
    provenance: manifest.provenance,
    license: manifest.license,
    ...(modelCard !== undefined && { modelCard }),
  };
}
