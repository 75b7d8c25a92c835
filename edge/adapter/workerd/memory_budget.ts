/**
 * What fits into an isolate: 128 MB for everything, of which a model takes its share for ever and a picture while it is
 * decoded. The build refuses a bundle by this account, and the handler takes its limits from it.
 *
 * Measured with ONNX Runtime 1.30 and the decoders of `edge/decode`, by the length of each WebAssembly memory: it grows and
 * never shrinks. V8's own heap was read through workerd's inspector.
 */

import { ClipEError, type Manifest } from "@clip-e/shared";

/** What an isolate may hold, JavaScript and WebAssembly together, by the platform's published limit. */
const ISOLATE = 128_000_000;
/** The Worker's code and objects, in V8's heap: 10 MB after a hundred requests. */
const SCRIPT = 14_000_000;
/** ONNX Runtime's memory without a model. */
const RUNTIME = 17_000_000;
/** Of ONNX Runtime's memory for each byte of a model: 2.06 (int8) and 2.16 (float32) measured. */
const MODEL = 2.2;
/** The same for 16-bit floats, which it computes with as 32-bit ones: 4.62 measured. */
const HALF_MODEL = 4.7;
/** The same for weights in files beside the model: 1.22 to 1.33 measured. */
const EXTERNAL = 1.4;
/** A decoder's memory at the least: the JPEG and WebP decoders start with 16 MiB. */
const DECODER = 17_000_000;
/** A decoder's memory for each pixel: 4 for most files, 10.5 for a progressive JPEG, 11.4 for a lossless WebP. */
const DECODER_PIXEL = 11.5;
/** Of a decoded picture outside the decoder: red, green, blue, alpha. */
const PIXEL = 4;
/** How often an upload is there at most: read, its parts, their copies, and the decoder's. */
const UPLOAD_COPIES = 4;
/** The part of what the model leaves that is for uploads; the rest is for the picture in work. */
const UPLOAD_SHARE = 0.3;
/** A limit of fewer pixels would refuse what people send. */
const LEAST_PIXELS = 1_000_000;
/** More pixels cost time and change nothing: models see 224 x 224 or so. */
const MOST_PIXELS = 12_000_000;
/** What decoders may hold between pictures: one of JPEG or WebP and that of PNG, all of them as after small pictures. */
const KEEP_BYTES = 28_000_000;

/** What is served of a bundle, and how much it takes. */
export interface ModelMemory {
  /** What it is: an encoder's precision, or the text encoder. */
  readonly name: string;
  /** Of its files. */
  readonly bytes: number;
  /** Of ONNX Runtime's memory. */
  readonly heap: number;
}

/** Where an isolate's memory goes, in bytes, and the limits that follow. */
export interface MemoryBudget {
  /** All that there is. */
  readonly isolate: number;
  /** For the Worker's code and objects. */
  readonly script: number;
  /** ONNX Runtime's memory without a model. */
  readonly runtime: number;
  /** The largest image encoder for WebAssembly, and the text encoder if there is one. */
  readonly models: readonly ModelMemory[];
  /** While the models are loaded: their files lie in memory, too. */
  readonly whileLoading: number;
  /** For uploads and a picture in work. */
  readonly left: number;
  /** The largest picture, in pixels. */
  readonly maxPixels: number;
  /** The largest upload, in bytes. */
  readonly maxBytes: number;
  /** Bytes of uploads that may be there at once. */
  readonly maxBytesInFlight: number;
  /** What decoders may hold between pictures, in bytes; the largest go first. */
  readonly keepBytes: number;
}

/**
 * Accounts for a bundle's memory in an isolate.
 *
 * @param manifest of the bundle
 * @throws {ClipEError} `invalid-bundle`, when no encoder is for WebAssembly or the models do not fit
 */
export function memoryBudget(manifest: Manifest): MemoryBudget {
  const encoders = manifest.encoders.filter(({ backends }) => backends.includes("wasm"));
  if (encoders.length === 0) {
    throw new ClipEError(
      "invalid-bundle",
      `Cannot serve ${manifest.name} in a Worker, which runs encoders in WebAssembly: none of the bundle's is for wasm. ` +
        "Build it again with --precision int8",
    );
  }
  const [largest] = encoders
    .map((encoder) => modelMemory(`image encoder (${encoder.precision})`, encoder))
    .toSorted((a, b) => b.heap - a.heap);
  const { textEncoder } = manifest;
  const models = [largest, ...(textEncoder ? [modelMemory("text encoder", textEncoder)] : [])];
  const held = SCRIPT + RUNTIME + sum(models.map(({ heap }) => heap));
  const whileLoading = held + Math.max(...models.map(({ bytes }) => bytes));
  const left = ISOLATE - held;

  const uploads = left * UPLOAD_SHARE;
  const picture = left - uploads;
  // The decoder's memory is its least, or grows with the picture.
  const maxPixels = Math.min((picture - DECODER) / PIXEL, picture / (DECODER_PIXEL + PIXEL));
  const budget = {
    isolate: ISOLATE,
    script: SCRIPT,
    runtime: RUNTIME,
    models,
    whileLoading,
    left,
    maxPixels: roundDown(Math.min(maxPixels, MOST_PIXELS), 100_000),
    maxBytes: roundDown(uploads / UPLOAD_COPIES, 100_000),
    maxBytesInFlight: roundDown(2 * uploads / UPLOAD_COPIES, 100_000),
    keepBytes: Math.min(KEEP_BYTES, picture),
  };
  if (whileLoading > ISOLATE || budget.maxPixels < LEAST_PIXELS) throw tooLarge(manifest, budget);
  return budget;
}

/** A model's files, and what they become. */
function modelMemory(
  name: string,
  { file, externalData = [], precision }:
    & Pick<Manifest["encoders"][number], "file" | "externalData">
    & { readonly precision?: string },
): ModelMemory {
  const beside = sum(externalData.map(({ bytes }) => bytes));
  const isHalf = precision === "float16";
  const heap = isHalf ? (file.bytes + beside) * HALF_MODEL : file.bytes * MODEL + beside * EXTERNAL;
  return { name, bytes: file.bytes + beside, heap };
}

function tooLarge({ name }: Manifest, budget: MemoryBudget): ClipEError {
  const { isolate, script, runtime, models, whileLoading } = budget;
  const parts = models.map(({ name, bytes, heap }) =>
    `${mb(heap)} for its ${name} of ${mb(bytes)}`
  );
  const most = (isolate - script - runtime) / (MODEL + 1);
  const isInt8 = models[0].name.includes("(int8");
  return new ClipEError(
    "invalid-bundle",
    `Cannot serve ${name} in a Worker: an isolate has ${mb(isolate)} for everything, and ${
      mb(whileLoading)
    } are needed while the bundle is loaded: ${parts.join(", ")}, the files themselves, and ${
      mb(script + runtime)
    } for the Worker and ONNX Runtime. ${
      isInt8 ? "Take" : "Build it in 8-bit integers alone (--precision int8), take"
    } a smaller model (up to about ${
      mb(most)
    } fit: TinyCLIP ViT-8M/16 in int8 is 9 MB), or serve it natively with deno task start`,
  );
}

/** Megabytes, as people read them. */
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const roundDown = (value: number, step: number): number => Math.floor(value / step) * step;
