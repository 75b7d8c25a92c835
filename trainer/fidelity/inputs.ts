/**
 * What encoders are compared on: a folder's pictures, preprocessed as the encoder wants them, and a bundle's prompts.
 */

import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import {
  ClipEError,
  openBundle,
  preprocess,
  type Preprocessing,
  type Prompts,
} from "@clip-e/shared";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { folderSource } from "../bundle/bundle_folder.ts";
import { readPreprocessing } from "../encoder/encoder_file.ts";
import { TrainerError } from "../errors.ts";
import type { PictureInputs } from "./open_for_pictures.ts";
import { spread } from "../spread.ts";

/** The project's own pictures: few, but of every kind that it reads. */
const OWN_PICTURES = fileURLToPath(new URL("../../fixtures/pictures", import.meta.url));

/** A larger picture is unreadable. */
const MAX_PIXELS = 200_000_000;

/** How many pictures are used unless told otherwise: more say little more, and each is held in memory. */
export const MAX_PICTURES = 256;

/** See {@linkcode readFidelityInputs}. */
export interface FidelityInputs {
  /** The pictures. */
  readonly pictures: PictureInputs;
  /** By taxonomy; none without a bundle. */
  readonly prompts: ReadonlyMap<string, Prompts>;
}

/** Where inputs come from. */
export interface FidelitySources {
  /** Of the pictures: those in it, not below it; the project's own unless given. */
  readonly pictures?: string | undefined;
  /** The most pictures to use, 1 or more, taken from all over the folder; {@linkcode MAX_PICTURES} unless given. */
  readonly maxPictures?: number | undefined;
  /** Of a bundle of the same encoder, for its preprocessing and its prompts. */
  readonly bundle?: string | undefined;
  /** Told of what could not be used, in a sentence. */
  readonly onNote?: (note: string) => void;
}

/**
 * Reads what to compare encoders on.
 *
 * @param encoder path of the encoder, beside which its `preprocessor_config.json` is looked for unless a bundle is given
 * @param sources folders
 * @throws {TrainerError} when there is no picture, or the preprocessing is not one that is done here
 * @throws {ClipEError} when the bundle cannot be used
 */
export async function readFidelityInputs(
  encoder: string,
  sources: FidelitySources,
): Promise<FidelityInputs> {
  const { preprocessing, prompts } = sources.bundle === undefined
    ? { ...await readPreprocessing(dirname(encoder)), prompts: new Map() }
    : await readBundle(sources.bundle);
  return { pictures: await readPictures(preprocessing, sources), prompts };
}

async function readBundle(folder: string) {
  const { manifest, prompts } = await openBundle(folderSource(folder));
  const { input, mean, std, interpolation, resizeMode } = manifest.encoders[0];
  return { preprocessing: { ...input, mean, std, interpolation, resizeMode }, prompts };
}

/**
 * Reads pictures to compare encoders on.
 *
 * @param preprocessing of the encoders
 * @param sources a folder
 * @throws {TrainerError} when there is no picture
 */
export async function readPictures(
  preprocessing: Preprocessing,
  { pictures: folder = OWN_PICTURES, maxPictures = MAX_PICTURES, onNote }: FidelitySources,
): Promise<PictureInputs> {
  const names = await findPictures(folder);
  const some = spread(names, maxPictures);
  if (some.length < names.length) onNote?.(`Of ${names.length} pictures ${some.length} are used`);
  const decoders = createDecoders();
  const inputs: Float32Array[] = [];
  for (const name of some) {
    try {
      const bytes = await Deno.readFile(`${folder}/${name}`);
      inputs.push(preprocess(await decodePicture(bytes, decoders, MAX_PIXELS), preprocessing));
    } catch (error) {
      if (!(error instanceof ClipEError)) throw error;
      onNote?.(`Left out ${name}: ${error.message}`);
    }
  }
  if (inputs.length > 0) return { crop: preprocessing.crop, inputs };
  throw new TrainerError(
    `Cannot compare encoders on ${folder}: it holds no picture (.jpg, .jpeg, .png, .webp) that can be read`,
  );
}

/** Names of the pictures in a folder, in an order that is the same everywhere. */
async function findPictures(folder: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries
      .filter(({ name, isDirectory }) => !isDirectory && /^[^.].*\.(jpe?g|png|webp)$/i.test(name))
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot read the pictures in ${folder}: ${why}`, { cause });
  }
}
