/**
 * A picture to the encoder's input, the way of the Hugging Face image processors; the published CLIP-E heads were trained
 * with CLIP's. Trainer and edge both come through here, so that what is trained is what is served.
 */

import type { Picture } from "./picture.ts";
import { type Interpolation, resampleAndCrop } from "./resample.ts";

/** Three numbers, for red, green and blue. */
export type Rgb = readonly [red: number, green: number, blue: number];

/**
 * How a picture becomes square, in the words of open_clip: `shortest` keeps its proportions and crops the middle, as CLIP
 * does; `squash` gives up its proportions and keeps all of it, as SigLIP does.
 */
export type ResizeMode = "shortest" | "squash";

/** How pictures become an encoder's input. */
export interface Preprocessing {
  /** The shorter side, or both, become this, in pixels; at least `crop`, and equal to it where both do. */
  readonly resize: number;
  /** Side of the square that is cut from the middle, in pixels: S. */
  readonly crop: number;
  /** Subtracted from values in 0..1. */
  readonly mean: Rgb;
  /** Divides what is left. */
  readonly std: Rgb;
  /** The resampling filter, which is Pillow's: antialiased. */
  readonly interpolation: Interpolation;
  /** Whether the shorter side is resized or both are; `shortest` where it is not said. */
  readonly resizeMode?: ResizeMode | undefined;
}

/** CLIP's own preprocessing, from the model card of `openai/clip-vit-base-patch32`. */
export const CLIP_PREPROCESSING: Preprocessing = {
  resize: 224,
  crop: 224,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  interpolation: "bicubic",
};

/**
 * Resizes the shorter side, or both, and crops the middle, as bytes.
 *
 * Where the shorter side is resized, the longer becomes `int(resize * long / short)`. The crop starts at
 * `floor((n - crop) / 2)`; torchvision rounds instead, and differs by a pixel on odd sizes.
 *
 * @param picture upright
 * @param spec which sizes, and how
 * @returns `[S, S, 3]` bytes
 */
export function resizeAndCrop(
  picture: Picture,
  spec: Omit<Preprocessing, "mean" | "std">,
): Uint8Array {
  const { resize, crop, interpolation, resizeMode } = spec;
  const shorter = Math.min(picture.width, picture.height);
  const side = (n: number) =>
    n === shorter || resizeMode === "squash" ? resize : Math.trunc((resize * n) / shorter);
  const width = side(picture.width);
  const height = side(picture.height);
  const middle = {
    left: Math.floor((width - crop) / 2),
    top: Math.floor((height - crop) / 2),
    width: crop,
    height: crop,
  };
  return resampleAndCrop(picture, width, height, middle, interpolation);
}

/**
 * Bytes to the encoder's input: `(value / 255 - mean) / std`, planes of red, green and blue.
 *
 * @param rgb `[S, S, 3]` bytes
 * @param spec mean and deviation
 * @returns `[3, S, S]`
 */
export function normalize(
  rgb: Uint8Array,
  spec: Pick<Preprocessing, "mean" | "std">,
): Float32Array {
  const pixels = rgb.length / 3;
  const planes = new Float32Array(rgb.length);
  for (let channel = 0; channel < 3; channel++) {
    const table = Float32Array.from(
      { length: 256 },
      (_, value) => (value / 255 - spec.mean[channel]) / spec.std[channel],
    );
    const plane = channel * pixels;
    for (let i = 0, p = channel; i < pixels; i++, p += 3) planes[plane + i] = table[rgb[p]];
  }
  return planes;
}

/**
 * A picture to the encoder's input.
 *
 * @param picture upright
 * @param spec how
 * @returns `[3, S, S]`, S = `spec.crop`
 */
export function preprocess(picture: Picture, spec: Preprocessing): Float32Array {
  return normalize(resizeAndCrop(picture, spec), spec);
}
