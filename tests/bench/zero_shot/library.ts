/**
 * `@huggingface/transformers` as its users call it: the pipeline for zero-shot image classification, and the same parts with
 * the texts' embeddings kept. The project does not depend on it: it is imported by a computed name, which no lock file and
 * no type checker follows, and what is used of it is declared here.
 */

import * as ort from "onnxruntime-web/wasm";
import {
  type Contender,
  LOGIT_SCALE,
  type Precision,
  type Score,
  type Setup,
  timed,
} from "./contender.ts";

const PACKAGE = "npm:@huggingface/transformers@4.3.1";
/** The model's folder. */
const MODEL = "clip";

interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

type Tensors = Readonly<Record<string, Tensor>>;

type Model = (inputs: Tensors) => Promise<Tensors>;

interface ModelOptions {
  readonly dtype: Precision;
  readonly device: "cpu" | "auto";
  readonly session_options: Readonly<Record<string, unknown>>;
}

interface ModelClass<Instance> {
  from_pretrained(model: string, options?: ModelOptions): Promise<Instance>;
}

interface Picture {
  readonly width: number;
  readonly height: number;
}

type Pipeline = (
  picture: Blob,
  labels: readonly string[],
  options: { readonly hypothesis_template: string },
) => Promise<readonly Score[]>;

/** What is used of the library. */
interface Transformers {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly RawImage: { fromBlob(file: Blob): Promise<Picture> };
  readonly AutoTokenizer: ModelClass<
    (texts: readonly string[], options: { padding: boolean; truncation: boolean }) => Tensors
  >;
  readonly AutoProcessor: ModelClass<(picture: Picture) => Promise<Tensors>>;
  readonly CLIPTextModelWithProjection: ModelClass<Model>;
  readonly CLIPVisionModelWithProjection: ModelClass<Model>;
  pipeline(
    task: "zero-shot-image-classification",
    model: string,
    options: ModelOptions,
  ): Promise<Pipeline>;
}

/** Two ways to answer with the library. */
export interface Library {
  /** The pipeline: every call encodes every text. */
  readonly pipeline: Contender;
  /** The parts, by a caller who keeps the texts' embeddings. */
  readonly cached: Contender;
}

/**
 * Opens the library.
 *
 * @param setup whose backend is the only one in the process
 */
export async function openLibrary(
  { folder, precision, backend, threads }: Setup,
): Promise<Library> {
  if (backend === "wasm") offerWasm();
  const library: Transformers = await import(PACKAGE);
  library.env.localModelPath = `${folder}/`;
  library.env.allowRemoteModels = false;
  const options: ModelOptions = {
    dtype: precision,
    // "auto" is none of the devices that the library knows under Deno, and leaves the choice to the session's options.
    device: backend === "wasm" ? "auto" : "cpu",
    session_options: {
      executionProviders: [backend === "wasm" ? "wasm" : "cpu"],
      ...(backend === "native" && { intraOpNumThreads: threads, interOpNumThreads: 1 }),
    },
  };
  return {
    pipeline: await openPipeline(library, options),
    cached: await openParts(library, options),
  };
}

/**
 * Gives the library the project's ONNX Runtime for WebAssembly: under Deno it would take the native one, but a runtime that
 * is offered by this symbol goes first. It names model files by their paths, as the native one takes them.
 */
function offerWasm(): void {
  const create = (model: string | Uint8Array, options: ort.InferenceSession.SessionOptions) =>
    ort.InferenceSession.create(
      typeof model === "string" ? Deno.readFileSync(model) : model,
      options,
    );
  // An `env` of its own, for the library would have the WebAssembly fetched from a network.
  const runtime = { InferenceSession: { create }, Tensor: ort.Tensor, env: {} };
  Object.defineProperty(globalThis, Symbol.for("onnxruntime"), { value: runtime });
}

async function openPipeline(library: Transformers, options: ModelOptions): Promise<Contender> {
  const pipeline = await library.pipeline("zero-shot-image-classification", MODEL, options);
  return {
    prepare({ labels }) {
      const texts = labels.map(({ prompt }) => prompt);
      return Promise.resolve(
        timed(async (bytes) => ({
          scores: await pipeline(new Blob([bytes]), texts, { hypothesis_template: "{}" }),
        })),
      );
    },
  };
}

async function openParts(library: Transformers, options: ModelOptions): Promise<Contender> {
  const tokenize = await library.AutoTokenizer.from_pretrained(MODEL);
  const process = await library.AutoProcessor.from_pretrained(MODEL);
  const text = await library.CLIPTextModelWithProjection.from_pretrained(MODEL, options);
  const vision = await library.CLIPVisionModelWithProjection.from_pretrained(MODEL, options);
  return {
    async prepare({ labels }) {
      const texts = labels.map(({ prompt }) => prompt);
      const { text_embeds } = await text(tokenize(texts, { padding: true, truncation: true }));
      const [, size] = text_embeds.dims;
      const units = texts.map((_, k) => unit(text_embeds.data.slice(k * size, (k + 1) * size)));
      return timed(async (bytes) => {
        const picture = await library.RawImage.fromBlob(new Blob([bytes]));
        const { image_embeds } = await vision(await process(picture));
        const embedding = unit(image_embeds.data);
        const probabilities = softmax(units.map((u) => LOGIT_SCALE * dot(u, embedding)));
        const scores = texts.map((label, k) => ({ label, score: probabilities[k] }))
          .sort((a, b) => b.score - a.score);
        return { scores };
      });
    },
  };
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(dot(vector, vector));
  return vector.map((v) => v / norm);
}

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power);
  return powers.map((power) => power / total);
}
