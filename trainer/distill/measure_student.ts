/**
 * How good a student is on pictures that no step has seen: how near its embeddings are to the teacher's, and how often what
 * learns labels beside it is right.
 */

import { type Backend, type Encoder, openEncoder } from "@clip-e/edge/encoder";
import type { Preprocessing } from "@clip-e/shared";
import { cosine } from "../fidelity/cosines.ts";
import type { LabelMeasurement, Measurement } from "./distill_checkpoint.ts";
import type { LabelHead } from "./label_head.ts";
import type { FeatureScale } from "./student.ts";
import type { ViewBank } from "./view_bank.ts";
import { meanOverRegions, toPixels } from "./view_batches.ts";

/** What a student is held against. */
export interface HeldOutViews {
  /** How the student wants pictures. */
  readonly preprocessing: Preprocessing;
  /** Views with features. */
  readonly bank: ViewBank;
  /** How many of them are held out. */
  readonly heldOut: number;
  /** Of the features. */
  readonly scale: FeatureScale;
  /** Labels to be told, where the student learned any. */
  readonly labelled?: HeldOutLabels;
}

/** Pictures with labels, and what tells these. */
export interface HeldOutLabels {
  /** Views of pictures that have labels. */
  readonly bank: ViewBank;
  /** How many of them are held out. */
  readonly heldOut: number;
  /** Each picture's label, as a number. */
  readonly labelOf: readonly number[];
  /** What tells them. */
  readonly head: LabelHead;
}

/**
 * Measures a student.
 *
 * @param bytes of its encoder
 * @param views what it is held against
 * @param head the parameters of what tells labels, in their order
 * @param backend what runs it
 */
export async function measureStudent(
  bytes: Uint8Array,
  views: HeldOutViews,
  head: Float32Array,
  backend: Backend,
): Promise<Pick<Measurement, "cosine" | "centred" | "labels">> {
  const { labelled, preprocessing } = views;
  const encoder = await openEncoder(bytes, preprocessing.crop, { backend });
  try {
    const cosines = await meanCosines(encoder, views);
    if (!labelled) return cosines;
    return { ...cosines, labels: await countLabels(encoder, preprocessing, labelled, head) };
  } finally {
    await encoder.close();
  }
}

async function meanCosines(
  encoder: Encoder,
  { bank, heldOut, preprocessing, scale: { mean } }: HeldOutViews,
): Promise<Pick<Measurement, "cosine" | "centred">> {
  const centre = (embedding: Float32Array) => embedding.map((x, d) => x - mean[d]);
  const sums = { cosine: 0, centred: 0 };
  for (let i = 0; i < heldOut; i++) {
    const view = bank.readHeldOut([i]);
    const expected = meanOverRegions(view, mean.length);
    const embedding = await encoder.encode(toPixels(view, bank.format.size, preprocessing));
    sums.cosine += cosine(embedding, expected);
    sums.centred += cosine(centre(embedding), centre(expected));
  }
  return { cosine: sums.cosine / heldOut, centred: sums.centred / heldOut };
}

async function countLabels(
  encoder: Encoder,
  preprocessing: Preprocessing,
  { bank, heldOut, labelOf, head }: HeldOutLabels,
  numbers: Float32Array,
): Promise<LabelMeasurement> {
  const counts = new Map<number, number>();
  let right = 0;
  for (let i = 0; i < heldOut; i++) {
    const view = bank.readHeldOut([i]);
    const embedding = await encoder.encode(toPixels(view, bank.format.size, preprocessing));
    const [label] = Array.from(view.places ?? [], (place) => labelOf[place]);
    counts.set(label, (counts.get(label) ?? 0) + 1);
    if (head.choose(numbers, embedding) === label) right++;
  }
  return {
    pictures: heldOut,
    accuracy: right / heldOut,
    commonest: Math.max(...counts.values()) / heldOut,
  };
}
