/**
 * An image tower that is small enough to be compared in a moment, and pictures for it.
 */

import { CLIP_PREPROCESSING, preprocess } from "@clip-e/shared";
import { decodeFile } from "../../../trainer/embedding/decode_file.ts";
import type { PictureInputs } from "../../../trainer/fidelity/open_for_pictures.ts";
import { NO_EXTERNAL_DATA, type OnnxModel, readModel } from "../../../trainer/quantize/mod.ts";
import { makeVisionTower, type Outliers } from "../../clip_towers.ts";
import { readPicture } from "../../golden_file.ts";

/** Side of its input, in pixels. */
export const CROP = 64;

/** Eight layers of 128: 1.6 million weights. */
const SHAPE = {
  vision: { hidden: 128, layers: 8, heads: 4, mlp: 512, patch: 16, image: CROP },
  text: { hidden: 16, layers: 1, heads: 2, mlp: 32, vocab: 60, context: 77 },
  projection: 64,
};

/** The tower's file. */
export function towerBytes(outliers?: Outliers): Uint8Array<ArrayBuffer> {
  return makeVisionTower(SHAPE, outliers ? { outliers } : {}).model;
}

/** The tower. */
export function smallTower(outliers?: Outliers): OnnxModel {
  return { proto: readModel(towerBytes(outliers)), external: NO_EXTERNAL_DATA };
}

/** Pictures of the project's own that differ: photographs, colours, greys, squares and lines. */
const NAMES = [
  ..."chroma_444.jpg exif_6.jpg grey.jpg grey_alpha.png icc_profile.jpg interlaced.png".split(" "),
  ..."lossless_alpha.webp lossy.webp odd_size.jpg one_bit.png palette.png rgba.png".split(" "),
  ..."storm.jpg sunset.jpg tall.jpg wide.jpg".split(" "),
];

/** Those pictures, preprocessed. */
export async function smallPictures(count: number = NAMES.length): Promise<PictureInputs> {
  const spec = { ...CLIP_PREPROCESSING, resize: CROP, crop: CROP };
  const inputs = await Promise.all(
    NAMES.slice(0, count).map(async (name) =>
      preprocess(await decodeFile(await readPicture(name), 1e7), spec)
    ),
  );
  return { crop: CROP, inputs };
}
