/**
 * The classifier: picture bytes in, scores out. The straight line of a request, in one place:
 * bytes -> decode -> picture -> preprocess -> encode -> embedding -> head or prompts -> scores.
 */

import { type Bundle, type BundleSource, ClipEError, openBundle, preprocess } from "@clip-e/shared";
import type { Backend } from "./backend/backend.ts";
import { wasmBackend } from "./backend/wasm.ts";
import { decodePicture } from "./decode/decode_picture.ts";
import { createDecoders, type DecoderModules } from "./decode/decoders.ts";
import type { Decode } from "./decode/sharp_decoder.ts";
import { serveEncoder } from "./encoder_service.ts";
import { httpSource } from "./http_source.ts";
import { createLabelScorer } from "./label_scorer.ts";
import { describeTaxonomies, findMisfits, type ModelInfo } from "./model_info.ts";
import { type ClassifyOptions, planPredictions } from "./plan.ts";
import { preprocessingOf, type ProvenEncoder } from "./proven_encoder.ts";
import { createQueue } from "./queue.ts";
import { type Prediction, scoreEmbedding } from "./score.ts";

export { preprocessingOf };

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
  /** What it says of its model now: another encoder takes over where a backend fails for good. */
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
  /**
   * What may run the encoders, best first; the first that proves itself does. By default WebAssembly, which also takes over
   * from the last of them where that fails for good while it serves.
   */
  readonly backends?: readonly Backend[];
  /** Where the decoders' WebAssembly comes from; by default, from their packages. */
  readonly decoders?: DecoderModules;
  /** Decodes pictures in place of the WebAssembly decoders; must give the same bytes and refusals. */
  readonly decode?: Decode;
  /** Hears why another encoder took over. By default the console's log does. */
  readonly warn?: (line: string) => void;
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
  const { maxPixels = DEFAULT_MAX_PIXELS, backends = [wasmBackend], digest, warn = console.warn } =
    options;
  const pin = digest === undefined ? {} : { digest };
  const source = typeof options.bundle === "string" || options.bundle instanceof URL
    ? httpSource(options.bundle, pin)
    : options.bundle;
  const bundle = await openBundle(source, pin);
  const service = await serveEncoder(bundle, backends, (serving, why) => {
    model = describeModel(bundle, serving);
    warn(why);
  });
  let model = describeModel(bundle, service.serving);
  const decode = options.decode ?? wasmDecode(options.decoders);
  // One picture after another: decoded ones in memory would add up.
  const inTurn = createQueue();
  const { textEncoder } = bundle.manifest;
  const { backend } = service.serving;
  const labelScorer = textEncoder &&
    // What a text encoder gives is known of no text beforehand.
    createLabelScorer(bundle, textEncoder, backend.needsProof ? wasmBackend : backend);

  async function embed(picture: Uint8Array): Promise<PictureEmbedding> {
    const start = performance.now();
    const pixels = await decode(picture, maxPixels);
    const decoded = performance.now();
    let preprocessed = decoded;
    const embedding = await service.run(({ encoder, entry }) => {
      const input = preprocess(pixels, preprocessingOf(entry));
      preprocessed = performance.now();
      return encoder.encode(input);
    });
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
    get model() {
      return model;
    },
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
      await service.serving.encoder.close();
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

function describeModel(bundle: Bundle, { encoder, entry, faults }: ProvenEncoder): ModelInfo {
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
