/**
 * Which input samples make an output sample, and with what weights: those of Pillow's `Resample.c`. The filter is stretched
 * when shrinking, and weights are rounded to 22-bit fixed point.
 */

/** Bits of a weight behind the point. */
export const FRACTION_BITS = 22;

/** The resampling filters, by their names in Pillow. */
export type Interpolation = "bicubic" | "bilinear";

/** A filter. */
export interface Filter {
  /** It is 0 from this distance on, in samples. */
  readonly support: number;
  /** The weight of a sample at a distance. */
  readonly weigh: (x: number) => number;
}

/** The filters. */
export const FILTERS: Readonly<Record<Interpolation, Filter>> = {
  bicubic: { support: 2, weigh: bicubic },
  bilinear: { support: 1, weigh: triangle },
};

/** Keys' cubic convolution kernel (1981), a = -0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

/** Bilinear interpolation's kernel. */
function triangle(x: number): number {
  return Math.max(1 - Math.abs(x), 0);
}

/** The weights of a run of output samples along one axis. */
export interface Taps {
  /** First input sample of each output sample. */
  readonly first: Int32Array;
  /** How many input samples each output sample takes. */
  readonly count: Int32Array;
  /** Fixed-point weights, `width` to each output sample. */
  readonly weights: Int32Array;
  /** Room for weights of one output sample. */
  readonly width: number;
}

/** Weights of the output samples `start` to `start + length` when `input` samples become `output`. */
export function taps(
  filter: Filter,
  input: number,
  output: number,
  start: number,
  length: number,
): Taps {
  const scale = input / output;
  const stretch = Math.max(scale, 1);
  const shrink = 1 / stretch;
  const support = filter.support * stretch;
  const width = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * width);
  const exact = new Float64Array(width);
  for (let i = 0; i < length; i++) {
    const center = (start + i + 0.5) * scale;
    const from = Math.max(Math.trunc(center - support + 0.5), 0);
    const to = Math.min(Math.trunc(center + support + 0.5), input);
    let sum = 0;
    for (let j = 0; j < to - from; j++) {
      exact[j] = filter.weigh((j + from - center + 0.5) * shrink);
      sum += exact[j];
    }
    for (let j = 0; j < to - from; j++) {
      const weight = (exact[j] / sum) * (1 << FRACTION_BITS);
      weights[i * width + j] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = from;
    count[i] = to - from;
  }
  return { first, count, weights, width };
}
