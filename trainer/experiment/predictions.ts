/**
 * What the heads say of each picture, as JSON lines, for analyses of one's own.
 */

import { dirname } from "node:path";
import { TrainerError } from "../errors.ts";
import { type Embedded, type RowOutcome, scoreServed } from "./run_experiment.ts";

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
 * Writes a line of each picture and taxonomy: `file`, `label`, `scores` by the head that is served, and `heldOut`, those of a
 * head that had not seen the picture, where there is one.
 *
 * @param file written beside, then put in its place
 * @param data the pictures
 * @param served of each taxonomy, the row that answers by default
 */
export async function writePredictions(
  file: string,
  { examples, embeddings, size }: Embedded,
  served: readonly RowOutcome[],
): Promise<void> {
  const lines = served.flatMap(({ row, served: by, measured }) => {
    const { labelOf, taxonomy: { id, labels } } = row.task;
    const named = (scores: Float64Array) =>
      Object.fromEntries(labels.map(({ id }, k) => [id, scores[k]]));
    const heldOut = new Map(measured.indices.map((i, n) => [i, measured.scores[n]]));
    return examples.flatMap(({ name, label }, i) => {
      const own = labelOf.get(label);
      if (own === undefined) return [];
      const scores = scoreServed(row, by, embeddings.subarray(i * size, (i + 1) * size));
      const unseen = heldOut.get(i);
      return JSON.stringify({
        file: name,
        taxonomy: id,
        label: own,
        scores: named(scores),
        ...(unseen && { heldOut: named(unseen) }),
      });
    });
  });
  await Deno.writeTextFile(partialFile(file), lines.join("\n") + "\n");
  await Deno.rename(partialFile(file), file);
}
