/**
 * From an experiment to a bundle: of each method the row that did best on pictures held back is served, and the methods
 * stand in the order of that accuracy. A row that goes beyond the paper takes its plain form's place only where it is
 * better there.
 */

import { type BundleDraft, withHead, withMethod } from "../bundle/bundle_draft.ts";
import { chooseMethods } from "../evaluation/choose_methods.ts";
import type { Evaluation } from "../evaluation/evaluate.ts";
import type { RowOutcome } from "./run_experiment.ts";
import type { Task } from "./tasks.ts";

/** A method that a taxonomy is served by. */
export interface ServedMethod {
  /** Its row. */
  readonly outcome: RowOutcome;
  /** Of the first seed's heads. */
  readonly evaluation: Evaluation;
}

/**
 * Chooses what serves a task: of each method the best row, best first.
 *
 * @param outcomes all rows
 * @param task whose
 */
export function chooseServed(outcomes: readonly RowOutcome[], task: Task): ServedMethod[] {
  const candidates = outcomes.filter(({ row }) => row.task === task)
    .map((outcome) => ({
      row: outcome.row.name,
      method: outcome.row.method,
      isVariant: outcome.row.isVariant,
      validationAccuracy: outcome.validationAccuracy,
      outcome,
    }));
  return chooseMethods(candidates)
    .map(({ outcome }) => ({ outcome, evaluation: outcome.measured.evaluations[0] }));
}

/** What a bundle says of where heads come from. */
export interface HeadOrigin {
  /** Data, seed and recipe, in words. */
  readonly trainedOn: string;
  /** What the figures were measured on, in words. */
  readonly measuredOn: string;
}

/**
 * Adds a task's methods to a bundle.
 *
 * @param draft to add to
 * @param task whose
 * @param served as {@linkcode chooseServed} gave them
 * @param origin for the provenance
 */
export async function withServed(
  draft: BundleDraft,
  { taxonomy }: Task,
  served: readonly ServedMethod[],
  origin: HeadOrigin,
): Promise<BundleDraft> {
  let next = draft;
  for (
    const {
      outcome: { row, served: { head, scoring, bestEpochs }, validationAccuracy },
      evaluation,
    } of served
  ) {
    const id = headId(row);
    if (head) {
      const how = `${row.name}, ${head.img_fc1.units} hidden units${
        bestEpochs.length > 1 ? ` in ${bestEpochs.length} averaged heads` : ""
      }, best epochs ${bestEpochs.join(", ")}`;
      next = await withHead(next, id, head, `${origin.trainedOn}, ${how}`);
    }
    const { confusion: _, ...figures } = evaluation;
    next = withMethod(next, taxonomy, {
      method: row.method,
      ...(head && { head: id }),
      ...scoring,
      figures: { ...figures, validationAccuracy },
      measured: origin.measuredOn,
    });
  }
  return next;
}

/** A contrastive head serves several taxonomies; a cross-entropy head its own. */
function headId({ method, trainee, task }: RowOutcome["row"]): string {
  if (method !== "contrastive") return `${method}-${task.taxonomy.id}`;
  const kind = trainee?.kind === "adapter" ? "-adapter" : trainee?.input === "unit" ? "-unit" : "";
  return `contrastive${kind}`;
}
