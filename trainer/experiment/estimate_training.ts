/**
 * How long training takes at least: by the size of its matrix products, which are most of it, and by how fast those are here.
 * Small batches cost several times as much.
 */

import { numpy as np } from "@jax-js/jax";
import type { Device } from "../fit/device.ts";
import type { Protocol } from "./protocol.ts";
import { type Row, type Trainee, traineesOf } from "./rows.ts";

/** Side of the product that is timed: that of a batch by the paper's recipe. */
const SIDE = 512;

/** Of an epoch's time: a contrastive head compares the pictures of a batch, too. */
const CONTRASTIVE = 1.4;

/**
 * Times a matrix product.
 *
 * @param device what computes
 * @returns multiplications and additions a second
 */
export async function measureSpeed(device: Device): Promise<number> {
  const array = np.zeros([SIDE, SIDE]);
  // The first is compiled.
  await device.read(np.dot(array.ref, array.ref));
  const start = performance.now();
  await device.read(np.dot(array.ref, array));
  return 2 * SIDE ** 3 * 1000 / (performance.now() - start);
}

/**
 * Estimates how long one epoch of every head takes together.
 *
 * @param rows to compare
 * @param protocol who learns
 * @param sizes D, of an embedding, and H, hidden units of a committee
 * @param members of a committee, where nothing is held back from all
 * @param seeds how many
 * @param speed as {@linkcode measureSpeed} has it
 * @returns seconds
 */
export function estimateEpoch(
  rows: readonly Row[],
  { measured, served }: Protocol,
  { size, hidden }: { readonly size: number; readonly hidden: number },
  members: number,
  seeds: number,
  speed: number,
): number {
  const rounds = measured.includes(served) ? measured : [...measured, served];
  // Members share the units, and each leaves out its part of the pictures.
  const pictures = rounds.reduce(
    (sum, { train, validation }) => sum + train.length * (validation ? 1 : (members - 1) / members),
    0,
  );
  const perPicture = traineesOf(rows).reduce((sum, trainee) => {
    const products = 6 * hidden * (size + outputsOf(trainee));
    return sum + products * (trainee.kind === "contrastive" ? CONTRASTIVE : 1);
  }, 0);
  return seeds * pictures * perPicture / speed;
}

function outputsOf({ kind, task: { taxonomy, zeroShot } }: Trainee): number {
  return kind === "cross-entropy" ? taxonomy.labels.length : zeroShot?.prompts.size ?? 0;
}
