/**
 * Tells one training run from another, so that no run goes on from another's weights.
 */

import { createHash } from "node:crypto";
import type { FitData } from "./fit_data.ts";
import type { FitSettings, HeadPlan } from "./fit_options.ts";

/** What a run is made of. */
export interface Run {
  /** Examples; those that are for neither part do not count. */
  readonly data: FitData;
  /** Indices of the examples to learn from. */
  readonly train: readonly number[];
  /** Indices of the examples that stop the training. */
  readonly validation: readonly number[];
  /** Which head. */
  readonly plan: HeadPlan;
  /** How. */
  readonly settings: FitSettings;
  /** On what. */
  readonly device: string;
}

/**
 * SHA-256 over everything that a run's numbers depend on.
 *
 * @param run the run
 * @returns hexadecimal digits
 */
export function fingerprint({ data, train, validation, plan, settings, device }: Run): string {
  const hash = createHash("sha256");
  const { embeddings, size, targets, classes } = data;
  const words = [plan, settings, device, size, classes, train.length, validation.length];
  hash.update(JSON.stringify(words, (_, value) => ArrayBuffer.isView(value) ? null : value));
  if (plan.kind === "contrastive") hash.update(bytesOf(plan.prompts.vectors));
  for (const row of [...train, ...validation]) {
    hash.update(`${row} ${targets[row]} `);
    hash.update(bytesOf(embeddings.subarray(row * size, (row + 1) * size)));
  }
  return hash.digest("hex");
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
