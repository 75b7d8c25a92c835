/**
 * What teacher and student both look at: a part of a picture, some of it mirrored, recoloured or laid over another. Matching
 * the teacher on views like these, and on exactly the same ones, is what lets a small network follow it (Beyer and others,
 * "Knowledge distillation: a good teacher is patient and consistent", arXiv 2106.05237).
 */

import { type Picture, resampleAndCrop } from "@clip-e/shared";
import type { Random } from "../random.ts";

/** How much views differ from their pictures. */
export interface AugmentOptions {
  /** The least share of a picture's area that a view shows; 1 shows all of it. */
  readonly area: number;
  /** How far brightness, contrast and saturation go from 1, each. */
  readonly colour: number;
  /** The share of views that are laid over another. */
  readonly mix: number;
  /** The share of views of small pictures that are several of them, side by side: each keeps its detail. */
  readonly mosaic: number;
}

/** What distillation uses. */
export const AUGMENT: AugmentOptions = { area: 0.25, colour: 0.3, mix: 0.3, mosaic: 0.75 };

/** More often than this a part is not to be enlarged: a teacher that sees no detail teaches none. */
const ENLARGEMENT = 1.6;
/** But even of a small picture a part may be shown, of this share of its area. */
const SMALL_AREA = 0.6;

/** Proportions of views before they are made square, width to height, and their inverse. */
const PROPORTION = 4 / 3;

/** Of red, green and blue in grey, as ITU-R BT.601 has them. */
const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114];

/**
 * A part of a picture, mirrored half of the time, and recoloured.
 *
 * @param picture upright
 * @param size S, in pixels
 * @param options how much it may differ
 * @param random decides
 * @returns `[S, S, 3]`
 */
export function augment(
  picture: Picture,
  size: number,
  options: AugmentOptions,
  random: Random,
): Uint8Array {
  const part = mirror(
    cut(picture, leastArea(picture, size, options.area), random),
    random.next() < 0.5,
  );
  const whole = { left: 0, top: 0, width: size, height: size };
  const view = resampleAndCrop(part, size, size, whole, "bicubic");
  recolour(view, options.colour, random);
  return view;
}

/**
 * Lays a view over another.
 *
 * @param below changed
 * @param above of the same size
 * @param share of the upper one, from 0 to 1
 */
export function blend(below: Uint8Array, above: Uint8Array, share: number): void {
  for (let i = 0; i < below.length; i++) {
    below[i] = Math.round(below[i] + share * (above[i] - below[i]));
  }
}

/**
 * How many pictures like this one have room in a row without being enlarged much.
 *
 * @param picture upright
 * @param size S, in pixels
 */
export function countCells({ width, height }: Picture, size: number): number {
  return Math.max(1, Math.round(size / ENLARGEMENT / Math.min(width, height)));
}

/**
 * Puts a small view into a large one.
 *
 * @param view `[S, S, 3]`, changed
 * @param size S, in pixels
 * @param cell `[side, side, 3]`
 * @param side of the cell, in pixels
 * @param left of the cell in the view, in pixels
 * @param top of the cell in the view, in pixels
 */
export function placeCell(
  view: Uint8Array,
  size: number,
  cell: Uint8Array,
  side: number,
  left: number,
  top: number,
): void {
  const [columns, rows] = [left, top].map((start) => Math.min(side, size - start));
  for (let y = 0; y < rows; y++) {
    const row = cell.subarray(3 * y * side, 3 * (y * side + columns));
    view.set(row, 3 * ((top + y) * size + left));
  }
}

/** The least share of a picture that a part may have, so that it is not enlarged too much. */
function leastArea({ width, height }: Picture, size: number, area: number): number {
  const sharp = (size / ENLARGEMENT) ** 2 / (width * height);
  return Math.max(area, Math.min(SMALL_AREA, sharp));
}

/** A random part, as a view of the same memory. */
function cut(picture: Picture, area: number, random: Random): Picture {
  const share = area + (1 - area) * random.next();
  const stretch = Math.exp((2 * random.next() - 1) * Math.log(PROPORTION) / 2);
  const side = Math.sqrt(share * picture.width * picture.height);
  const width = Math.max(1, Math.min(picture.width, Math.round(side * stretch)));
  const height = Math.max(1, Math.min(picture.height, Math.round(side / stretch)));
  const left = Math.floor(random.next() * (picture.width - width + 1));
  const top = Math.floor(random.next() * (picture.height - height + 1));
  const { data, offset, strideX, strideY } = picture;
  return { width, height, data, offset: offset + left * strideX + top * strideY, strideX, strideY };
}

function mirror(picture: Picture, isMirrored: boolean): Picture {
  if (!isMirrored) return picture;
  const { width, offset, strideX } = picture;
  return { ...picture, offset: offset + (width - 1) * strideX, strideX: -strideX };
}

/** Changes saturation, contrast and brightness of `[S, S, 3]`, in this order. */
function recolour(view: Uint8Array, amount: number, random: Random): void {
  const factor = () => 1 + amount * (2 * random.next() - 1);
  const [saturation, contrast, brightness] = [factor(), factor(), factor()];
  let sum = 0;
  for (let i = 0; i < view.length; i += 3) {
    sum += RED * view[i] + GREEN * view[i + 1] + BLUE * view[i + 2];
  }
  const mean = sum / (view.length / 3);
  const clamp = (x: number) => x < 0 ? 0 : x > 255 ? 255 : Math.round(x);
  for (let i = 0; i < view.length; i += 3) {
    const grey = RED * view[i] + GREEN * view[i + 1] + BLUE * view[i + 2];
    for (let c = i; c < i + 3; c++) {
      const coloured = grey + saturation * (view[c] - grey);
      view[c] = clamp((mean + contrast * (coloured - mean)) * brightness);
    }
  }
}
