/**
 * Scores computed the long way, from the formulas alone: what the product's own code is held against.
 */

import type { Dense } from "@clip-e/shared";
import type { SyntheticBundle } from "../synthetic_bundle.ts";

/**
 * Scores of a taxonomy's labels.
 *
 * @param bundle whose numbers to use
 * @param taxonomy its id
 * @param method its name
 * @param embedding `[D]`
 * @returns by label, summing to 1
 */
export function plainScores(
  { manifest, heads, prompts }: SyntheticBundle,
  taxonomy: string,
  method: string,
  embedding: readonly number[],
): Map<string, number> {
  const info = manifest.taxonomies.find(({ id }) => id === taxonomy);
  const entry = info?.methods.find((entry) => entry.method === method);
  const vectors = prompts.get(taxonomy);
  if (!info || !entry || !vectors) throw new Error(`There is no ${method} for ${taxonomy}`);
  const head = entry.head === undefined ? undefined : heads.get(entry.head);

  let logits: number[];
  if (head?.kind === "cross-entropy") {
    logits = layer(head.preds, layer(head.img_fc1, embedding).map((x) => Math.max(0, x)));
  } else {
    const projected = head
      ? layer(head.img_fc2, layer(head.img_fc1, embedding).map((x) => Math.max(0, x)))
      : embedding;
    logits = info.labels.map((_, k) => {
      const prompt = vectors.vectors.slice(k * vectors.size, (k + 1) * vectors.size);
      return dot(projected, prompt) / Math.hypot(...projected) / Math.hypot(...prompt);
    });
  }
  const scores = logits.length === 1
    ? sigmoid(logits[0] / entry.temperature)
    : shares(logits.map((z) => Math.exp(z / entry.temperature)));
  return new Map(info.labels.map(({ id }, k) => [id, scores[k]]));
}

/** `x · kernel + bias`. */
function layer({ inputs, units, kernel, bias }: Dense, x: readonly number[]): number[] {
  return Array.from({ length: units }, (_, j) => {
    let sum = bias[j];
    for (let i = 0; i < inputs; i++) sum += x[i] * kernel[i * units + j];
    return sum;
  });
}

function dot(a: readonly number[], b: ArrayLike<number>): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** The published polarity head has one unit: how positive. */
function sigmoid(z: number): number[] {
  const positive = 1 / (1 + Math.exp(-z));
  return [1 - positive, positive];
}

function shares(values: readonly number[]): number[] {
  const sum = values.reduce((a, b) => a + b);
  return values.map((value) => value / sum);
}
