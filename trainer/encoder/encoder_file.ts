/**
 * The encoder that a user names: an ONNX file, with its preprocessing from the `preprocessor_config.json` beside it, as
 * model hubs lay them out.
 */

import { dirname, join } from "node:path";
import { type Encoder, openEncoder } from "@clip-e/edge/encoder";
import {
  CLIP_PREPROCESSING,
  ClipEError,
  goldenInput,
  type Preprocessing,
  type Rgb,
  sha256,
} from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import { type ExternalData, readExternalData } from "./external_data.ts";

/** An encoder, open and described. */
export interface EncoderFile {
  /** ONNX. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Weights beside it. */
  readonly externalData: readonly ExternalData[];
  /** Of the bytes, the weights beside it included, hexadecimal. */
  readonly sha256: string;
  /** How pictures become its input. */
  readonly preprocessing: Preprocessing;
  /** Where the preprocessing comes from, in words. */
  readonly preprocessingFrom: string;
  /** Runs it. */
  readonly encoder: Encoder;
  /** The golden input's embedding, `[D]`. */
  readonly goldenEmbedding: Float32Array;
}

const CONFIG = "preprocessor_config.json";

/** Options of {@linkcode openEncoderFile}. */
export interface OpenEncoderFileOptions {
  /** Where its `preprocessor_config.json` is; by default beside it. */
  readonly configFolder?: string;
  /** Told where the preprocessing comes from, before the encoder is run. */
  readonly onPreprocessing?: (from: string) => void;
}

/**
 * Opens an encoder and runs it on the golden input.
 *
 * @param path of the ONNX file
 * @param options where its configuration is, and who is told of it
 * @throws {TrainerError} when there is no such file, its preprocessing is not one that is done here, or it cannot be run on
 * pictures of that size
 * @throws {ClipEError} when it is not an encoder
 */
export async function openEncoderFile(
  path: string,
  options: OpenEncoderFileOptions = {},
): Promise<EncoderFile> {
  const bytes = await Deno.readFile(path).catch((cause) => {
    throw new TrainerError(`Cannot read the encoder ${path}: ${cause.message}`, { cause });
  });
  const { preprocessing, preprocessingFrom } = await readPreprocessing(
    options.configFolder ?? dirname(path),
  );
  options.onPreprocessing?.(preprocessingFrom);
  const externalData = await readExternalData(path, bytes);
  const encoder = await openEncoder(bytes, preprocessing.crop, { externalData });
  try {
    const goldenEmbedding = await encoder.encode(goldenInput(preprocessing));
    return {
      bytes,
      externalData,
      sha256: await digestOf(bytes, externalData),
      preprocessing,
      preprocessingFrom,
      encoder,
      goldenEmbedding,
    };
  } catch (cause) {
    await encoder.close();
    if (cause instanceof ClipEError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const { crop } = preprocessing;
    throw new TrainerError(
      `Cannot run the encoder ${path} on a picture of ${crop} x ${crop} pixels. The preprocessing is ` +
        `${preprocessingFrom}. If the encoder's input has another size, say so in a preprocessor_config.json beside it. ` +
        "ONNX Runtime says: " +
        why.replace(/^.*ERROR_MESSAGE: /s, "").replace(/\s+/g, " "),
      { cause },
    );
  }
}

/**
 * The digest of a model: its own, or that of all digests where it has weights beside it.
 *
 * @param model ONNX
 * @param externalData the weights beside it
 * @returns SHA-256, hexadecimal
 */
export async function digestOf(
  model: Uint8Array<ArrayBuffer>,
  externalData: readonly ExternalData[],
): Promise<string> {
  const own = await sha256(model);
  if (externalData.length === 0) return own;
  const all = await Promise.all(externalData.map(({ bytes }) => sha256(bytes)));
  return await sha256(new TextEncoder().encode([own, ...all].join("\n")));
}

/**
 * Reads how a folder's encoder wants its pictures.
 *
 * @param folder that holds a `preprocessor_config.json`; where it holds none, it is CLIP's own way
 * @throws {TrainerError} when the file asks for something that is not done here
 */
export async function readPreprocessing(
  folder: string,
): Promise<Pick<EncoderFile, "preprocessing" | "preprocessingFrom">> {
  const file = join(folder, CONFIG);
  const config = await Deno.readTextFile(file).catch((cause) => {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new TrainerError(`Cannot read ${file}: ${cause.message}`, { cause });
  });
  if (config !== undefined) {
    return { preprocessing: parsePreprocessing(file, config), preprocessingFrom: file };
  }
  return {
    preprocessing: CLIP_PREPROCESSING,
    preprocessingFrom: `CLIP's own, as there is no ${CONFIG} beside the encoder`,
  };
}

/** Pillow's filters, by their numbers. */
const FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

/**
 * Reads a Hugging Face `preprocessor_config.json`: CLIP's kind, whose size is a shortest edge, or SigLIP's, whose size is a
 * height and a width.
 *
 * @param file its name, for errors
 * @param text its content
 * @returns the preprocessing
 * @throws {TrainerError} naming the field that asks for something that is not done here
 */
export function parsePreprocessing(file: string, text: string): Preprocessing {
  const refuse = (why: string) => new TrainerError(`Cannot preprocess as ${file} asks: ${why}`);
  let config: Record<string, unknown>;
  try {
    config = { ...JSON.parse(text) };
  } catch (cause) {
    throw new TrainerError(`Cannot read ${file}: it is not JSON`, { cause });
  }

  for (const name of ["do_resize", "do_rescale"]) {
    if (config[name] === false) throw refuse(`${name} is false, and it is always done here`);
  }
  const { resample = FILTERS.indexOf("bicubic"), rescale_factor: rescale = 1 / 255 } = config;
  const interpolation = FILTERS.find((_, number) => number === resample);
  if (interpolation !== "bicubic" && interpolation !== "bilinear") {
    throw refuse(
      `resample is ${JSON.stringify(resample)} (${interpolation ?? "no filter of Pillow's"}), ` +
        "and only 3 (bicubic) and 2 (bilinear) are done here",
    );
  }
  if (typeof rescale !== "number" || Math.abs(rescale * 255 - 1) > 1e-6) {
    throw refuse(`rescale_factor is ${rescale}, and only 1/255 is done here`);
  }
  const { mean, std } = config.do_normalize === false
    ? { mean: [0, 0, 0] as const, std: [1, 1, 1] as const }
    : { mean: readRgb(config.image_mean), std: readRgb(config.image_std) };
  if (!mean || !std || !std.every((v) => v > 0)) {
    throw refuse("image_mean and image_std must be three numbers each, the latter above 0");
  }
  const { resize, crop, resizeMode } = readSizes(config, refuse);
  // `shortest` stays unsaid: caches and default embedding spaces are named after this object's JSON.
  return { resize, crop, mean, std, interpolation, ...(resizeMode === "squash" && { resizeMode }) };
}

/** The sides that are resized, and the square that is cut from the middle. */
function readSizes(
  { size, crop_size: cropSize, do_center_crop: doCrop }: Record<string, unknown>,
  refuse: (why: string) => TrainerError,
): Pick<Preprocessing, "resize" | "crop" | "resizeMode"> {
  const shortestEdge = readShortestEdge(size);
  const resize = shortestEdge ?? readSquare(size);
  if (resize === undefined) {
    throw refuse(
      `size is ${JSON.stringify(size)}, and only a shortest_edge, or height and width that are ` +
        "equal, are done here",
    );
  }
  const resizeMode = shortestEdge === undefined ? "squash" : "shortest";
  if (doCrop === false && resizeMode === "shortest") {
    throw refuse(
      "do_center_crop is false, and what a shortest_edge leaves is not square without a crop",
    );
  }
  const crop = doCrop === false || cropSize === undefined ? resize : readSquare(cropSize);
  if (crop === undefined || crop > resize || (crop < resize && resizeMode === "squash")) {
    const most = resizeMode === "squash"
      ? `the square of ${resize}`
      : `a square of at most ${resize}`;
    throw refuse(`crop_size is ${JSON.stringify(cropSize)}, and only ${most} is done here`);
  }
  return { resize, crop, resizeMode };
}

function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** A bare number is the shortest edge in CLIP's sizes, and a square in those of crops. */
function readShortestEdge(size: unknown): number | undefined {
  if (typeof size !== "object" || size === null) return readCount(size);
  return readCount((size as { shortest_edge?: unknown }).shortest_edge);
}

function readSquare(size: unknown): number | undefined {
  if (typeof size !== "object" || size === null) return readCount(size);
  const { height, width } = size as { height?: unknown; width?: unknown };
  return height === width ? readCount(height) : undefined;
}

function readRgb(value: unknown): Rgb | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [red, green, blue] = value;
  return [red, green, blue].every(Number.isFinite) ? [red, green, blue] : undefined;
}
