/**
 * Batches of views, in an order that the seed and the pass decide: nothing but the number of a step is needed to go on.
 */

import { normalize, pictureFromRows, type Preprocessing, resizeAndCrop } from "@clip-e/shared";
import { Random } from "../random.ts";
import type { FeatureScale } from "./student.ts";
import type { ViewBank, Views } from "./view_bank.ts";

/** What a step learns from. */
export interface ViewBatch {
  /** `[B, 3, S, S]`, normalised. */
  readonly pixels: Float32Array;
  /** `[B, R, D]`. */
  readonly features: Float32Array;
  /** `[B, K]`, where labels are learned: 1 for a view's label, zeros for a view that has none. */
  readonly targets?: Float32Array;
}

/** Views whose labels are known. */
export interface LabelledViews {
  /** Where they are: each says which picture it is of. */
  readonly bank: ViewBank;
  /** How many of them. */
  readonly views: number;
  /** K. */
  readonly labels: number;
  /** Each picture's label, from 0 to K - 1. */
  readonly labelOf: readonly number[];
}

/** Options of {@linkcode ViewBatches}. */
export interface ViewBatchesOptions {
  /** Where views are. */
  readonly bank: ViewBank;
  /** How many of them. */
  readonly views: number;
  /** Others, that have labels: a pass goes over both, in one order. */
  readonly labelled?: LabelledViews;
  /** B. What is left of a pass after the last whole batch is not used in it. */
  readonly batch: number;
  /** How the student wants pictures. */
  readonly preprocessing: Preprocessing;
  /** Decides the order. */
  readonly seed: number;
}

/** Reads batches by number. */
export class ViewBatches {
  readonly #options: ViewBatchesOptions;
  #pass = -1;
  #order: readonly number[] = [];

  /** @param options which views, and how */
  constructor(options: ViewBatchesOptions) {
    this.#options = options;
  }

  /** How many batches there are in a pass over all views. */
  get perPass(): number {
    return Math.floor(this.#count / this.#options.batch);
  }

  get #count(): number {
    const { views, labelled } = this.#options;
    return views + (labelled?.views ?? 0);
  }

  /**
   * Reads a batch.
   *
   * @param number from 0, on over all passes
   * @throws {TrainerError} when the bank does not have it
   */
  read(number: number): ViewBatch {
    const { batch, seed } = this.#options;
    const pass = Math.floor(number / this.perPass);
    if (pass !== this.#pass) {
      this.#order = new Random(seed + 2 ** 32 * pass).shuffled(Array(this.#count).keys());
      this.#pass = pass;
    }
    const start = (number % this.perPass) * batch;
    return this.#read(this.#order.slice(start, start + batch));
  }

  /** Reads views; those with labels are numbered behind the others, and stand behind them in the batch. */
  #read(numbers: readonly number[]): ViewBatch {
    const { bank, views, labelled, preprocessing } = this.#options;
    const plain = bank.read(numbers.filter((number) => number < views));
    const inputOf = (read: Views) => toPixels(read, bank.format.size, preprocessing);
    if (!labelled) return { pixels: inputOf(plain), features: plain.features };
    const own = numbers.filter((number) => number >= views).map((number) => number - views);
    const told = labelled.bank.read(own);
    const targets = new Float32Array(numbers.length * labelled.labels);
    const first = numbers.length - own.length;
    told.places?.forEach((place, i) => {
      targets[(first + i) * labelled.labels + labelled.labelOf[place]] = 1;
    });
    return {
      pixels: joined(inputOf(plain), inputOf(told)),
      features: joined(plain.features, told.features),
      targets,
    };
  }
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/**
 * Views as a student's input.
 *
 * @param views `[N, S', S', 3]`
 * @param size S', in pixels
 * @param preprocessing of the student
 * @returns `[N, 3, S, S]`
 */
export function toPixels(
  { pixels }: Views,
  size: number,
  preprocessing: Preprocessing,
): Float32Array {
  const { crop } = preprocessing;
  const bytes = 3 * size * size;
  const planes = new Float32Array(pixels.length / bytes * 3 * crop * crop);
  for (let i = 0; i * bytes < pixels.length; i++) {
    const view = pixels.subarray(i * bytes, (i + 1) * bytes);
    const picture = pictureFromRows(view, size, size, 3);
    const seen = size === crop ? view : resizeAndCrop(picture, { ...preprocessing, resize: crop });
    planes.set(normalize(seen, preprocessing), i * 3 * crop * crop);
  }
  return planes;
}

/** So many views tell what the teacher's features are like. */
const MEASURED_VIEWS = 8192;
/** Of a feature that hardly ever differs: it is not to become large. */
const LEAST_DEVIATION = 1e-3;

/**
 * Measures the teacher's features.
 *
 * @param bank whose first views are looked at
 * @param views how many it has
 */
export function measureFeatures(bank: ViewBank, views: number): FeatureScale {
  const { dimensions } = bank.format;
  const count = Math.min(views, MEASURED_VIEWS);
  const sum = new Float64Array(dimensions);
  const squares = new Float64Array(dimensions);
  for (let i = 0; i < count; i++) {
    meanOverRegions(bank.read([i]), dimensions).forEach((x, d) => {
      sum[d] += x;
      squares[d] += x * x;
    });
  }
  const mean = Float32Array.from(sum, (x) => x / count);
  const deviation = Float32Array.from(squares, (x, d) => {
    const variance = x / count - (sum[d] / count) ** 2;
    return Math.max(LEAST_DEVIATION, Math.sqrt(Math.max(0, variance)));
  });
  return { mean, deviation };
}

/**
 * A view's embedding: the mean of its regions.
 *
 * @param view one
 * @param dimensions D
 */
export function meanOverRegions({ features }: Views, dimensions: number): Float32Array {
  const regions = features.length / dimensions;
  return Float32Array.from({ length: dimensions }, (_, d) => {
    let sum = 0;
    for (let r = 0; r < regions; r++) sum += features[r * dimensions + d];
    return sum / regions;
  });
}
