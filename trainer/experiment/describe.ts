/**
 * From a run to the experiment that its report is written from. It holds no clock: the same run gives the same report.
 */

import type { DatasetSummary, Experiment } from "../evaluation/experiment.ts";
import type { LoadedData } from "./load_data.ts";
import type { Protocol } from "./protocol.ts";
import type { ExperimentOutcome } from "./run_experiment.ts";
import { noteAgreements, summarizeCurves, summarizeTasks } from "./summarize.ts";

/** What a report says of a run. */
export interface RunDescription {
  /** Of the report. */
  readonly title: string;
  /** In the order to be shown. */
  readonly facts: Experiment["facts"];
  /** What was trained on. */
  readonly data: LoadedData;
  /** Who learnt and who measured. */
  readonly protocol: Protocol;
  /** Only measured on; without their pictures that look like training pictures. */
  readonly others: readonly LoadedData[];
  /** What the reader should know. */
  readonly notes: readonly string[];
}

/**
 * Describes an experiment.
 *
 * @param outcome what came of it
 * @param run what it was
 */
export function describeExperiment(
  outcome: ExperimentOutcome,
  { title, facts, data, protocol, others, notes }: RunDescription,
): Experiment {
  return {
    title,
    facts,
    datasets: [data, ...others].map(summarizeData),
    tasks: summarizeTasks(outcome, {
      dataset: data.dataset.name,
      protocol: protocol.words,
      data,
      others: new Map(others.map((other) => [other.dataset.name, other])),
    }),
    curves: summarizeCurves(outcome),
    notes: [...notes, ...noteAgreements(outcome)],
  };
}

/** A data set, as it was used. */
export function summarizeData(
  { dataset, examples, unreadable, digest }: LoadedData,
): DatasetSummary {
  const { name, description, notes } = dataset;
  return { name, description, digest, pictures: examples.length, unreadable, notes };
}
