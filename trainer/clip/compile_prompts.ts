/**
 * Labels to prompt embeddings: each label's texts through the text encoder, averaged in the embedding space.
 */

import type { OpenTextEncoder } from "@clip-e/edge/text";
import type { Prompts } from "@clip-e/shared";

/**
 * Encodes the texts of each label.
 *
 * @param texts per label, in order, at least one each; several are averaged as unit vectors, as CLIP's own prompt ensembles
 * are (Radford et al. 2021, 3.1.4)
 * @param encoder of the pictures' space
 * @param onText called after each text, and waited for
 * @returns unit vectors, in label order
 */
export async function compilePrompts(
  texts: readonly (readonly string[])[],
  encoder: OpenTextEncoder,
  onText?: () => void | Promise<void>,
): Promise<Prompts> {
  const rows: Float64Array[] = [];
  for (const some of texts) {
    let sum: Float64Array | undefined;
    for (const text of some) {
      const vector = await encoder.encode(text);
      sum ??= new Float64Array(vector.length);
      for (let i = 0; i < vector.length; i++) sum[i] += vector[i];
      await onText?.();
    }
    if (!sum) throw new RangeError("Cannot compile prompts: a label has no text");
    rows.push(sum);
  }
  const size = rows[0].length;
  const vectors = new Float32Array(rows.length * size);
  rows.forEach((row, k) => {
    const norm = Math.hypot(...row);
    vectors.set(row.map((v) => v / norm), k * size);
  });
  return { count: rows.length, size, vectors };
}
