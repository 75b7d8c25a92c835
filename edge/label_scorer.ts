/**
 * Labels at request time: words of the caller's own, scored against a picture through the bundle's text encoder. The text
 * encoder is opened by the first request that needs it, and what it makes of a label is kept for the next.
 */

import { type Bundle, ClipEError, cosineLogits, type ManifestTextEncoder } from "@clip-e/shared";
import type { Backend } from "./backend/backend.ts";
import { readExternalData } from "./bundled_model.ts";
import { predict, type Prediction } from "./score.ts";
import { createTokenizer, type OpenTextEncoder, openTextEncoder } from "./text/mod.ts";

/** How many labels' embeddings are kept: at 512 numbers each, 2 MB. */
const MAX_KEPT = 1000;

/** Scores embeddings against labels. */
export interface LabelScorer {
  /**
   * Scores one embedding.
   *
   * @param embedding `[D]`, as the encoder gives it
   * @param labels texts, each its own prompt, in any order
   * @param top how many scores to give
   */
  score(embedding: Float32Array, labels: readonly string[], top?: number): Promise<Prediction>;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/**
 * Makes a scorer.
 *
 * @param bundle whose text encoder is used
 * @param entry its text encoder
 * @param backend what runs it
 */
export function createLabelScorer(
  bundle: Bundle,
  entry: ManifestTextEncoder,
  backend: Backend,
): LabelScorer {
  let opening: Promise<OpenTextEncoder> | undefined;
  const kept = new Map<string, Float32Array>();

  const open = () =>
    opening ??= openFrom(bundle, entry, backend).catch((error) => {
      opening = undefined;
      throw error;
    });

  /** The label's unit vector; the one that was asked for longest ago makes room. */
  async function encode(label: string): Promise<Float32Array> {
    const known = kept.get(label);
    const vector = known ?? await (await open()).encode(label);
    kept.delete(label);
    kept.set(label, vector);
    if (kept.size > MAX_KEPT) {
      for (const oldest of kept.keys()) {
        kept.delete(oldest);
        break;
      }
    }
    return vector;
  }

  return {
    async score(embedding, labels, top = Infinity) {
      const size = embedding.length;
      const vectors = new Float32Array(labels.length * size);
      for (const [k, label] of labels.entries()) {
        const vector = await encode(label);
        if (vector.length !== size) {
          throw new ClipEError(
            "invalid-bundle",
            `The text encoder gives ${vector.length} numbers, the image encoder ${size}`,
          );
        }
        vectors.set(vector, k * size);
      }
      const logits = cosineLogits(embedding, { count: labels.length, size, vectors });
      return predict({
        taxonomy: "labels",
        method: "zero-shot",
        labels,
        logits,
        scoring: entry,
        top,
      });
    },
    close: async () => await (await opening)?.close(),
  };
}

async function openFrom(
  bundle: Bundle,
  entry: ManifestTextEncoder,
  backend: Backend,
): Promise<OpenTextEncoder> {
  const json = async (file: ManifestTextEncoder["tokenizer"]) =>
    JSON.parse(new TextDecoder().decode(await bundle.readFile(file)));
  const tokenize = createTokenizer({
    tokenizer: await json(entry.tokenizer),
    config: await json(entry.tokenizerConfig),
  }, entry.contextLength);
  const externalData = await readExternalData(bundle, entry);
  return await openTextEncoder(await bundle.readFile(entry.file), tokenize, {
    backend,
    externalData,
  });
}
