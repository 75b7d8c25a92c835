/**
 * What a training run says at its end: a summary for people, or the same as JSON.
 */

import type { Experiment } from "../evaluation/experiment.ts";
import { formatTables } from "../evaluation/format_table.ts";
import { crossDatasetTables, figureTable, ownTasks, summaryTable } from "./report_tables.ts";

/** What came of a training run. */
export interface TrainingReport {
  /** Where the bundle lies, and the digest of its manifest. */
  readonly bundle: { readonly folder: string; readonly digest: string };
  /** The folder of `report.html`, `report.md` and `report.json`. */
  readonly report: string;
  /** What it was trained on. */
  readonly data: {
    readonly source: string;
    readonly unreadable: readonly { readonly name: string; readonly why: string }[];
    readonly cached: number;
    readonly digest: string;
  };
  /** By taxonomy, the methods that are served, best first. */
  readonly served: readonly {
    readonly taxonomy: string;
    readonly methods: readonly {
      readonly method: string;
      readonly row: string;
      readonly temperature: number;
      readonly bestEpochs: readonly number[];
    }[];
  }[];
  /** All figures. */
  readonly experiment: Experiment;
}

/**
 * Writes the summary.
 *
 * @param report what came of the run
 * @returns lines for a terminal
 */
export function formatSummary({ bundle, report, data, experiment }: TrainingReport): string {
  const unreadable = data.unreadable.length > 0 ? `, ${data.unreadable.length} left out` : "";
  return [
    formatExperiment(experiment),
    "",
    ...experiment.notes,
    `Data    ${data.source}${unreadable}`,
    `Bundle  ${bundle.folder} (${bundle.digest.slice(0, 19)})`,
    `Report  ${report}/report.html`,
  ].join("\n");
}

/**
 * Writes an experiment's tables.
 *
 * @param experiment whose
 * @returns lines for a terminal
 */
export function formatExperiment(experiment: Experiment): string {
  const own = ownTasks(experiment);
  return formatTables([
    ...(own.length > 1 ? [summaryTable(experiment)] : own.map(figureTable)),
    ...crossDatasetTables(experiment).map(({ table }) => table),
  ]);
}
