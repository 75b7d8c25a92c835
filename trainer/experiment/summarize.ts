/**
 * From an experiment's outcome to what reports are written from: every row measured, compared, and looked at for mistakes.
 */

import { type Agreement, measureAgreements } from "../evaluation/agreement.ts";
import type { TaskResult, TrainingCurve } from "../evaluation/experiment.ts";
import { measureTask } from "../evaluation/measure_task.ts";
import type { Embedded, ExperimentOutcome, RowOutcome, Scored } from "./run_experiment.ts";
import { chooseServed } from "./serve_best.ts";
import type { Task } from "./tasks.ts";

/** What the tables say of where figures come from. */
export interface SummaryContext {
  /** The data set that was trained on. */
  readonly dataset: string;
  /** How its pictures were chosen. */
  readonly protocol: string;
  /** Its pictures. */
  readonly data: Embedded;
  /** Those of other data sets, by name. */
  readonly others: ReadonlyMap<string, Embedded>;
}

/**
 * Measures all rows: a block for each task on the data set itself, then one for each on every other.
 *
 * @param outcome of the experiment
 * @param context what to call things
 */
export function summarizeTasks(outcome: ExperimentOutcome, context: SummaryContext): TaskResult[] {
  const tasks = [...new Set(outcome.rows.map(({ row }) => row.task))];
  const own = tasks.map((task) => {
    const rows = outcome.rows.filter(({ row }) => row.task === task);
    return summarize(rows, task, ({ measured }) => measured, {
      ...{ dataset: context.dataset, protocol: context.protocol, data: context.data },
    });
  });
  const elsewhere = [...context.others].flatMap(([name, data]) =>
    tasks.flatMap((task) => {
      const rows = outcome.rows.filter(({ row }) => row.task === task);
      const at = ({ elsewhere }: RowOutcome) => elsewhere.find(({ other }) => other === name);
      if (!rows.some((row) => (at(row)?.indices.length ?? 0) > 0)) return [];
      const protocol = `its pictures that have a label of ${task.taxonomy.id}`;
      return [summarize(rows, task, at, { dataset: name, protocol, data })];
    })
  );
  return [...own, ...elsewhere];
}

function summarize(
  outcomes: readonly RowOutcome[],
  task: Task,
  scoredOf: (outcome: RowOutcome) => Scored | undefined,
  { dataset, protocol, data }: { dataset: string; protocol: string; data: Embedded },
): TaskResult {
  const scored = outcomes.flatMap((outcome) => {
    const of = scoredOf(outcome);
    return of ? [{ outcome, of }] : [];
  });
  const [{ of: { indices, targets } }] = scored;
  return measureTask({
    taxonomy: task.taxonomy.id,
    labels: task.taxonomy.labels.map(({ id }) => id),
    dataset,
    protocol,
    names: indices.map((i) => data.examples[i].name),
    targets,
    rows: scored.map(({ outcome: { row, validationAccuracy }, of: { scores, evaluations } }) => ({
      row: row.name,
      scores,
      evaluations,
      validationAccuracy,
    })),
    served: chooseServed(outcomes, task)[0]?.outcome.row.name,
  });
}

/**
 * The training curves, under the names of the rows that they belong to.
 *
 * @param outcome of the experiment
 */
export function summarizeCurves({ rows, curves }: ExperimentOutcome): TrainingCurve[] {
  return curves.map(({ trainee, seed, history, bestEpoch }) => ({
    row: rows.find(({ row }) => row.trainee === trainee && !row.groups)?.row.name ?? trainee.id,
    taxonomy: trainee.task.taxonomy.id,
    seed,
    history,
    bestEpoch,
  }));
}

/**
 * How often a method's answers at several granularities go together, in sentences.
 *
 * @param outcome of the experiment
 */
export function noteAgreements({ rows }: ExperimentOutcome): string[] {
  const tasks = [...new Set(rows.map(({ row }) => row.task))];
  const maps = new Map(tasks.map(({ taxonomy, labelOf }) => [taxonomy.id, labelOf]));
  const names = [...new Set(rows.map(({ row }) => row.name))];
  return names.flatMap((name) => {
    const own = rows.filter(({ row }) => row.name === name);
    const pictures = own.map(({ measured }) => measured.indices.join());
    if (own.length < 2 || new Set(pictures).size > 1) return [];
    const scores = own.map(({ row: { task: { taxonomy } }, measured }) => ({
      taxonomy: taxonomy.id,
      labels: taxonomy.labels.map(({ id }) => id),
      scores: measured.scores,
    }));
    return agreementsOf(scores, maps).map(({ fine, coarse, share }) =>
      `By ${name}, the best label of ${coarse} is that to which the best of ${fine} belongs in ${
        (100 * share).toFixed(1)
      } % of pictures.`
    );
  });
}

/** None where one label belongs to several. */
function agreementsOf(...args: Parameters<typeof measureAgreements>): Agreement[] {
  try {
    return measureAgreements(...args);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}
