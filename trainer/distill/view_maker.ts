/**
 * The views of a bank, by number: which pictures each is made of, and how, depends on the seed and its number alone, so that
 * workers may make them in any order, on any day.
 */

import {
  normalize,
  type Picture,
  pictureFromRows,
  preprocess,
  type Preprocessing,
  resizeAndCrop,
} from "@clip-e/shared";
import { Random } from "../random.ts";
import { augment, type AugmentOptions, blend, countCells, placeCell } from "./augment.ts";

/** Opens a picture by its place in the list, or the next one that can be opened. */
export type OpenPicture = (place: number) => Promise<OpenedPicture>;

/** A picture, and which one it is. */
export interface OpenedPicture {
  /** Upright. */
  readonly picture: Picture;
  /** In the list. */
  readonly place: number;
}

/** How views are made. */
export interface ViewOptions extends AugmentOptions {
  /** How many pictures there are. */
  readonly pictures: number;
  /** How many of them are held out, to be looked at as they are. */
  readonly heldOut: number;
  /** Each picture's group, by number: none is both held out and learned from. By default each is its own. */
  readonly groups?: readonly number[];
  /** Decides everything. */
  readonly seed: number;
  /** How the teacher wants pictures. */
  readonly preprocessing: Preprocessing;
  /** S: side of what the student sees, in pixels. */
  readonly size: number;
}

/** One view, as each of the two sees it. */
export interface View {
  /** For the teacher, `[3, crop, crop]`, normalised. */
  readonly teacher: Float32Array;
  /** For the student, `[S, S, 3]`. */
  readonly student: Uint8Array;
  /** Which picture it is of; the first, where it is of several. */
  readonly place: number;
}

const UINT32 = 2 ** 32;

/** Makes the views of a bank. */
export class ViewMaker {
  readonly #options: ViewOptions;
  readonly #open: OpenPicture;
  readonly #learned: readonly number[];
  readonly #heldOut: readonly number[];
  #pass = -1;
  #order: readonly number[] = [];

  /**
   * @param options how
   * @param open opens a picture
   */
  constructor(options: ViewOptions, open: OpenPicture) {
    const { heldOut, learned } = holdOut(options);
    this.#options = options;
    this.#open = open;
    this.#heldOut = heldOut;
    this.#learned = learned;
  }

  /**
   * A view to learn from. Every picture is used once before one is used again.
   *
   * @param number of the view
   */
  async learn(number: number): Promise<View> {
    const { preprocessing, size, mix } = this.#options;
    const { crop } = preprocessing;
    const random = this.#random(number);
    const { view, place } = await this.#show(this.#place(number), random);
    if (random.next() < mix) {
      const above = await this.#show(this.#draw(random), random);
      blend(view, above.view, random.next());
    }
    const { interpolation } = preprocessing;
    const smaller = { resize: size, crop: size, interpolation };
    return {
      teacher: normalize(view, preprocessing),
      student: resizeAndCrop(pictureFromRows(view, crop, crop, 3), smaller),
      place,
    };
  }

  /**
   * A picture that is held out, as it is served to each of the two: the middle of it, and nothing changed.
   *
   * @param number of the view
   */
  async holdOut(number: number): Promise<View> {
    const { preprocessing, size } = this.#options;
    const { picture, place } = await this.#open(this.#heldOut[number]);
    return {
      teacher: preprocess(picture, preprocessing),
      student: resizeAndCrop(picture, studentPreprocessing(preprocessing, size)),
      place,
    };
  }

  /** A picture for the teacher, or if it is a small one, several side by side. */
  async #show(wanted: number, random: Random): Promise<{ view: Uint8Array; place: number }> {
    const { preprocessing: { crop }, mosaic } = this.#options;
    const { picture, place } = await this.#open(wanted);
    const cells = countCells(picture, crop);
    if (cells === 1 || random.next() >= mosaic) {
      return { view: this.#augment(picture, crop, random), place };
    }
    const side = Math.ceil(crop / cells);
    const view = new Uint8Array(3 * crop * crop);
    for (let i = 0; i < cells * cells; i++) {
      const one = i === 0 ? picture : (await this.#open(this.#draw(random))).picture;
      const cell = this.#augment(one, side, random);
      placeCell(view, crop, cell, side, side * (i % cells), side * Math.floor(i / cells));
    }
    return { view, place };
  }

  #augment(picture: Picture, size: number, random: Random): Uint8Array {
    return augment(picture, size, this.#options, random);
  }

  /** Any picture that is not held out. */
  #draw(random: Random): number {
    return this.#learned[Math.floor(random.next() * this.#learned.length)];
  }

  #place(number: number): number {
    const pass = Math.floor(number / this.#learned.length);
    if (pass !== this.#pass) {
      this.#order = new Random(this.#options.seed + UINT32 * (pass + 1)).shuffled(this.#learned);
      this.#pass = pass;
    }
    return this.#order[number % this.#learned.length];
  }

  /** Not one of those that order the pictures: their seeds are multiples of 2^32 further on, and this one's is negative. */
  #random(number: number): Random {
    return new Random(-1 - number - UINT32 * this.#options.seed);
  }
}

/**
 * Chooses the pictures that are held out.
 *
 * @param options of views
 * @returns places in the list; of a group that is held out in part, the rest is in neither
 */
export function holdOut(
  { pictures, heldOut, groups, seed }: Pick<
    ViewOptions,
    "pictures" | "heldOut" | "groups" | "seed"
  >,
): { readonly heldOut: readonly number[]; readonly learned: readonly number[] } {
  const order = new Random(seed).shuffled(Array(pictures).keys());
  if (!groups) return { heldOut: order.slice(0, heldOut), learned: order.slice(heldOut) };
  const byGroup = Map.groupBy(order, (place) => groups[place]);
  const sorted = [...byGroup.values()].flat();
  const apart = new Set(sorted.slice(0, heldOut).map((place) => groups[place]));
  return {
    heldOut: sorted.slice(0, heldOut),
    learned: sorted.filter((place) => !apart.has(groups[place])),
  };
}

/**
 * How a student wants pictures: as its teacher, but smaller.
 *
 * @param preprocessing the teacher's
 * @param size S, in pixels
 */
export function studentPreprocessing(preprocessing: Preprocessing, size: number): Preprocessing {
  const { resize, crop } = preprocessing;
  return { ...preprocessing, resize: Math.round(resize * size / crop), crop: size };
}
