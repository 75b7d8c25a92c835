/**
 * What the heads say of each picture, as JSON lines, for analyses of one's own.
 */

import { dirname } from "node:path";
import type { LabelName, Taxonomy } from "@clip-e/shared";
import type { EmbeddedDataset } from "./embed_dataset.ts";
import { TrainerError } from "./errors.ts";
import { scorePicture, type TrainingOutcome } from "./train_head.ts";

/**
 * Checks that predictions can be written, by writing none.
 *
 * @param file that they are for
 * @throws {TrainerError} saying why not
 */
export async function checkPredictionsFile(file: string): Promise<void> {
  const refuse = (why: string, cause?: unknown) =>
    new TrainerError(`Cannot write the predictions ${file}: ${why}`, { cause });
  if (await Deno.stat(file).then(({ isDirectory }) => isDirectory, () => false)) {
    throw refuse("it is a folder. Name a file in it");
  }
  try {
    await Deno.writeTextFile(partialFile(file), "");
    await Deno.remove(partialFile(file));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw refuse(`there is no folder ${dirname(file)}. Make it first`, cause);
    }
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function partialFile(file: string): string {
  return `${file}.partial`;
}

/**
 * Writes a line of each picture: `file`, `label`, `scores` of the head that is served, and `heldOut`, those of a head that
 * had not seen the picture, where there is one.
 *
 * @param file written beside, then put in its place
 * @param data the pictures
 * @param taxonomy whose labels name the scores
 * @param outcome the heads' scores
 */
export async function writePredictions(
  file: string,
  data: EmbeddedDataset,
  taxonomy: Pick<Taxonomy<LabelName>, "labels">,
  outcome: TrainingOutcome,
): Promise<void> {
  const named = (scores: Float64Array) =>
    Object.fromEntries(taxonomy.labels.map(({ id }, k) => [id, scores[k]]));
  const lines = data.examples.map(({ name, label }, i) => {
    const embedding = data.embeddings.subarray(i * data.size, (i + 1) * data.size);
    const scores = scorePicture(outcome.head, outcome.temperature, embedding);
    const heldOut = outcome.heldOut[i];
    return JSON.stringify({
      file: name,
      label,
      scores: named(scores),
      ...(heldOut && { heldOut: named(heldOut) }),
    });
  });
  await Deno.writeTextFile(partialFile(file), lines.join("\n") + "\n");
  await Deno.rename(partialFile(file), file);
}
