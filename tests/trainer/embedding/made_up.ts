/**
 * Made-up pictures, embeddings and stores.
 */

import sharp from "sharp";
import { CLIP_PREPROCESSING, type Preprocessing, sha256 } from "@clip-e/shared";
import type { EncoderSpec } from "../../../trainer/embedding/mod.ts";
import type { StoreKey } from "../../../trainer/embedding/store_key.ts";
import {
  buildStatisticsEncoder,
  STATISTICS_DIMENSIONS,
} from "../../../trainer/encoder/statistics_encoder.ts";

/** A key of embeddings of three numbers. */
export const KEY: StoreKey = {
  encoder: "e".repeat(64),
  preprocessing: CLIP_PREPROCESSING,
  size: 3,
};

/** SHA-256 of a made-up picture. */
export async function digestOf(name: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name)));
}

/** A small JPEG that depends on a number: stripes of some colour and width. */
export async function drawPicture(number: number): Promise<Uint8Array<ArrayBuffer>> {
  const [width, height] = [90, 70];
  const rgb = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => 128 + (100 - 30 * (i % 3)) * Math.sin(i / (3 * (2 + number % 17)) + number),
  );
  const raw = { width, height, channels: 3 } as const;
  return new Uint8Array(await sharp(rgb, { raw }).jpeg().toBuffer());
}

/** Side of the statistics encoder's input. */
const SIZE = 64;
const { mean, std } = CLIP_PREPROCESSING;
const PREPROCESSING: Preprocessing = {
  resize: SIZE,
  crop: SIZE,
  mean,
  std,
  interpolation: "bicubic",
};

/** The statistics encoder, which needs no weights. */
export async function makeEncoder(): Promise<EncoderSpec> {
  const bytes = buildStatisticsEncoder({ size: SIZE, mean, std });
  return {
    bytes,
    externalData: [],
    sha256: await sha256(bytes),
    preprocessing: PREPROCESSING,
    size: STATISTICS_DIMENSIONS,
  };
}

/**
 * Writes the statistics encoder as a user would have it.
 *
 * @returns its path
 */
export async function writeEncoder(folder: string): Promise<string> {
  await Deno.mkdir(`${folder}/encoder`);
  const { bytes } = await makeEncoder();
  await Deno.writeFile(`${folder}/encoder/encoder.onnx`, bytes);
  await Deno.writeTextFile(
    `${folder}/encoder/preprocessor_config.json`,
    JSON.stringify({ size: SIZE, crop_size: SIZE, resample: 3, image_mean: mean, image_std: std }),
  );
  return `${folder}/encoder/encoder.onnx`;
}

/** Writes pictures into `pictures/even` and `pictures/odd`. */
export async function writePictures(folder: string, count: number): Promise<void> {
  for (const label of ["even", "odd"]) {
    await Deno.mkdir(`${folder}/pictures/${label}`, { recursive: true });
  }
  for (let i = 0; i < count; i++) {
    const name = `${i % 2 === 0 ? "even" : "odd"}/${String(i).padStart(3, "0")}.jpg`;
    await Deno.writeFile(`${folder}/pictures/${name}`, await drawPicture(i));
  }
}
