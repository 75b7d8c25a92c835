/**
 * What a training run says at its end: a summary for people, or the same as JSON.
 */

import type { Evaluation } from "./evaluation.ts";

/** What came of a training run. */
export interface TrainingReport {
  /** Where the bundle lies, and the digest of its manifest. */
  readonly bundle: { readonly folder: string; readonly digest: string };
  /** What it was trained on. */
  readonly data: {
    readonly source: string;
    readonly unreadable: readonly { readonly name: string; readonly why: string }[];
    readonly cached: number;
    readonly digest: string;
  };
  /** The taxonomy's id. */
  readonly taxonomy: string;
  /** Ids, in the order of the confusion matrix. */
  readonly labels: readonly string[];
  /** How the figures came about. */
  readonly protocol: string;
  /** On pictures that the head that scored them had not seen. */
  readonly evaluation: Evaluation;
  /** Fitted on validation. */
  readonly temperature: number;
  /** The epoch whose weights each averaged head has. */
  readonly bestEpochs: readonly number[];
}

/**
 * Writes the summary.
 *
 * @param report what came of the run
 * @returns lines for a terminal
 */
export function formatSummary(report: TrainingReport): string {
  const { bundle, data, evaluation, labels } = report;
  const { accuracy, majority, balancedAccuracy, macroF1, rocAuc } = evaluation;
  const unreadable = data.unreadable.length > 0 ? `, ${data.unreadable.length} left out` : "";
  const rows: [string, string][] = [
    ["Data", `${data.source}${unreadable}`],
    ["Measured by", report.protocol],
    ["Accuracy", `${percent(accuracy)} (always the commonest label: ${percent(majority)})`],
    ["Balanced accuracy", percent(balancedAccuracy)],
    ["Macro F1", percent(macroF1)],
    ...(rocAuc === undefined ? [] : [["ROC AUC", rocAuc.toFixed(3)] as [string, string]]),
    ["Calibration error", percent(evaluation.expectedCalibrationError)],
    ["Temperature", report.temperature.toFixed(3)],
    ["Bundle", `${bundle.folder} (${bundle.digest.slice(0, 19)})`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    "",
    "Confusion (rows: what raters said; columns: what the head said)",
    ...formatConfusion(labels, evaluation.confusion),
  ].join("\n");
}

function formatConfusion(
  labels: readonly string[],
  confusion: readonly (readonly number[])[],
): string[] {
  const width = Math.max(...labels.map((label) => label.length));
  const cell = (text: string | number) => String(text).padStart(width);
  const header = `${" ".repeat(width)}  ${labels.map(cell).join("  ")}`;
  return [
    header,
    ...labels.map((label, i) => `${label.padEnd(width)}  ${confusion[i].map(cell).join("  ")}`),
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
