/**
 * Zero-shot scoring as CLIP does it: the cosine of a picture's embedding to each label's prompt embedding.
 */

/** Prompt embeddings of one taxonomy. */
export interface Prompts {
  /** Number of labels, K. */
  readonly count: number;
  /** Length of each embedding, P. */
  readonly size: number;
  /** Unit vectors `[K, P]`, row-major, in label order. */
  readonly vectors: Float32Array;
}

/**
 * The cosine of an embedding to each prompt.
 *
 * @param embedding `[P]`, of any length but zero
 * @param prompts unit vectors `[K, P]`
 * @returns `[K]`, in label order, each in -1..1
 * @throws {RangeError} when the sizes differ
 */
export function cosineLogits(embedding: ArrayLike<number>, prompts: Prompts): Float64Array {
  const { count, size, vectors } = prompts;
  if (embedding.length !== size) {
    throw new RangeError(
      `Cannot compare with prompts: they have ${size} dimensions, the embedding ${embedding.length}`,
    );
  }
  let square = 0;
  for (let i = 0; i < size; i++) square += embedding[i] * embedding[i];
  const inverse = square > 0 ? 1 / Math.sqrt(square) : 0;
  return Float64Array.from({ length: count }, (_, k) => {
    let dot = 0;
    for (let i = 0; i < size; i++) dot += embedding[i] * vectors[k * size + i];
    return dot * inverse;
  });
}
