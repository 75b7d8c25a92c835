/**
 * Weights as small integers: numbers in, integers and their scales out. Symmetric, so that zero stays zero and no zero point
 * has to be carried; each column, row or block has a scale of its own, so that a large one does not coarsen the others.
 */

/** The largest absolute value of 8-bit weights; -128 is left out, as it has no opposite. */
export const INT8_LIMIT = 127;

/**
 * The same with seven bits. Processors without VNNI add two products of an unsigned and a signed byte in 16 bits, which
 * 2 * 255 * 63 fits and 2 * 255 * 127 does not.
 */
export const INT7_LIMIT = 63;

/** Weights as bytes: `values[i] * scales[channel of i]`. */
export interface ChannelWeights {
  /** In the order of the weights. */
  readonly values: Int8Array<ArrayBuffer>;
  /** One for each channel. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** How finely weights become 8-bit integers. */
export interface Precision {
  /** Largest absolute value of the integers. */
  readonly limit: number;
  /** Whether all channels share the scale that the largest weight needs; by default each has its own. */
  readonly isPerTensor?: boolean;
}

/**
 * Quantises with a scale for each index of one axis.
 *
 * @param weights row-major
 * @param shape of the weights
 * @param axis the channels' axis
 * @param precision of the integers
 */
export function quantizeChannels(
  weights: Float32Array,
  shape: readonly number[],
  axis: number,
  { limit, isPerTensor = false }: Precision,
): ChannelWeights {
  const channels = shape[axis];
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const largest = new Float32Array(channels);
  for (let i = 0, channel = 0; i < weights.length; channel = (channel + 1) % channels) {
    for (const end = i + inner; i < end; i++) {
      const size = Math.abs(weights[i]);
      if (size > largest[channel]) largest[channel] = size;
    }
  }
  if (isPerTensor) largest.fill(largest.reduce((a, b) => Math.max(a, b)));
  // A channel of zeros, or of numbers so small that their scale is 0 in 32 bits, becomes zeros whatever its scale is.
  const scales = largest.map((size) => size / limit).map((scale) => scale || 1);
  const values = new Int8Array(weights.length);
  for (let i = 0, channel = 0; i < weights.length; channel = (channel + 1) % channels) {
    const scale = scales[channel];
    for (const end = i + inner; i < end; i++) values[i] = Math.round(weights[i] / scale);
  }
  return { values, scales };
}

/** How many weights of a column share a scale in {@linkcode quantizeBlocks}. */
export const BLOCK_SIZE = 32;

/** A matrix of `rows` inputs and `columns` outputs, wherever its numbers lie. */
export interface Matrix {
  readonly weights: Float32Array;
  readonly rows: number;
  readonly columns: number;
  /** Whether a column's numbers lie together, as in `[columns, rows]`. */
  readonly isTransposed: boolean;
}

/** Weights as blocks of 8 or 4 bits: `(value - 2 ** (bits - 1)) * scale`. */
export interface BlockWeights {
  /** `[columns, blocks, BLOCK_SIZE * bits / 8]`; of two values in a byte the first is the lower. */
  readonly values: Uint8Array<ArrayBuffer>;
  /** `[columns, blocks]` */
  readonly scales: Float32Array<ArrayBuffer>;
  /** How many blocks a column has; the last one is filled up with zeros. */
  readonly blocks: number;
}

/** What the largest weight of a block is put at, as a part of the most negative integer; the best of them is taken. */
const STRETCHES = [0.9, 1, 1.1] as const;

/**
 * Quantises with a scale for each block of 32 weights of a column, in the layout of `com.microsoft.MatMulNBits`. The
 * largest weight of a block becomes about the most negative integer, for which its scale may be negative, and the scale is
 * then fitted to the integers by least squares. With four bits that is as exact as a zero point for each block, and smaller.
 *
 * @param matrix the weights
 * @param bits of an integer
 */
export function quantizeBlocks(matrix: Matrix, bits: 4 | 8): BlockWeights {
  const { weights, rows, columns, isTransposed } = matrix;
  const [rowStep, columnStep] = isTransposed ? [1, rows] : [columns, 1];
  const blocks = Math.ceil(rows / BLOCK_SIZE);
  const zero = 2 ** (bits - 1);
  const perByte = 8 / bits;
  const values = new Uint8Array(columns * blocks * BLOCK_SIZE / perByte);
  const scales = new Float32Array(columns * blocks);
  const block = new Float32Array(BLOCK_SIZE);
  for (let b = 0; b < scales.length; b++) {
    const firstRow = b % blocks * BLOCK_SIZE;
    const start = Math.floor(b / blocks) * columnStep + firstRow * rowStep;
    const length = Math.min(BLOCK_SIZE, rows - firstRow);
    block.fill(0);
    for (let i = 0; i < length; i++) block[i] = weights[start + i * rowStep];
    const [first, fitted] = fitScales(block, zero);
    scales[b] = fitted;
    for (let i = 0; i < BLOCK_SIZE; i++) {
      const value = toInteger(block[i], first, zero) + zero;
      values[(b * BLOCK_SIZE + i) / perByte | 0] |= value << i % perByte * bits;
    }
  }
  return { values, scales, blocks };
}

/** The scale to divide a block by, and the one that its integers are then best multiplied with. */
function fitScales(block: Float32Array, zero: number): readonly [first: number, fitted: number] {
  let extreme = 0;
  for (const weight of block) if (Math.abs(weight) > Math.abs(extreme)) extreme = weight;
  let best: readonly [number, number] = [1, 1];
  let largestGain = 0;
  for (const stretch of STRETCHES) {
    const first = -extreme / zero * stretch;
    // Zeros, and numbers so small that their scale is 0 in 32 bits, become zeros.
    if (Math.fround(first) === 0) break;
    let [products, squares] = [0, 0];
    for (let i = 0; i < block.length; i++) {
      const weight = block[i];
      const integer = toInteger(weight, first, zero);
      products += integer * weight;
      squares += integer * integer;
    }
    // By how much the scale products / squares has a smaller squared error than zero has.
    const gain = products * products / squares;
    if (gain <= largestGain) continue;
    largestGain = gain;
    best = [first, products / squares];
  }
  return best;
}

/** An integer from `-zero` to `zero - 1`. */
function toInteger(weight: number, scale: number, zero: number): number {
  const integer = Math.floor(weight / scale + 0.5);
  return integer < -zero ? -zero : integer >= zero ? zero - 1 : integer;
}

/** A row-major matrix of `rows` by `columns`, as one of `columns` by `rows`. */
export function transpose(
  values: Int8Array,
  rows: number,
  columns: number,
): Int8Array<ArrayBuffer> {
  const result = new Int8Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column];
    }
  }
  return result;
}
