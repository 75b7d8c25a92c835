/**
 * The tables of a report.
 */

import type { Evaluation } from "../evaluation/evaluate.ts";
import type { Experiment, Measurement, TaskResult } from "../evaluation/experiment.ts";
import type { Cell, Table } from "./table.ts";
import { chance, count, percent, percentInterval, taskTitle, taxonomyTitle } from "./words.ts";

/** A figure of {@linkcode Evaluation}. */
type FigureName = Exclude<keyof Evaluation, "confusion" | "count" | "majority">;

/** The figures that tables show, in order. */
const FIGURES: readonly {
  readonly name: FigureName;
  readonly title: string;
  readonly isPercent: boolean;
  readonly isBetter: "high" | "low";
}[] = [
  { name: "accuracy", title: "accuracy, %", isPercent: true, isBetter: "high" },
  { name: "balancedAccuracy", title: "balanced, %", isPercent: true, isBetter: "high" },
  { name: "macroF1", title: "macro F1", isPercent: false, isBetter: "high" },
  { name: "rocAuc", title: "ROC AUC", isPercent: false, isBetter: "high" },
  { name: "expectedCalibrationError", title: "ECE, %", isPercent: true, isBetter: "low" },
  { name: "negativeLogLikelihood", title: "NLL, nats", isPercent: false, isBetter: "low" },
];

/** The data set that heads were trained on: that of the first task. */
export function ownTasks({ tasks }: Experiment): TaskResult[] {
  return tasks.filter(({ dataset }) => dataset === tasks[0].dataset);
}

/** Accuracies by method and taxonomy, on the data set that heads were trained on. */
export function summaryTable(experiment: Experiment): Table {
  const tasks = ownTasks(experiment);
  return accuracyTable(
    `Accuracy in percent on ${
      tasks[0]?.dataset
    }: mean and standard deviation over seeds; beneath, the 95 % interval of ` +
      "the first seed by bootstrap over pictures.",
    tasks,
    ({ taxonomy, labels }) => `${taxonomyTitle(taxonomy)} (${labels.length})`,
  );
}

/** Accuracies by method and data set, for each taxonomy of which {@linkcode summaryTable} does not show all. */
export function crossDatasetTables({ tasks }: Experiment): { taxonomy: string; table: Table }[] {
  return [...new Set(tasks.map(({ taxonomy }) => taxonomy))].flatMap((taxonomy) => {
    const own = tasks.filter((task) => task.taxonomy === taxonomy);
    if (own.length === 1 && own[0].dataset === tasks[0].dataset) return [];
    const caption = `Accuracy in percent by data set, ${own[0].labels.length} labels.`;
    return [{ taxonomy, table: accuracyTable(caption, own, ({ dataset }) => dataset) }];
  });
}

function accuracyTable(
  caption: string,
  tasks: readonly TaskResult[],
  title: (task: TaskResult) => string,
): Table {
  const rows = [...new Set(tasks.flatMap(({ measurements }) => measurements.map((m) => m.row)))];
  const cells = tasks.map((task) => columnCells(task.measurements, rows, FIGURES[0]));
  const isSame = tasks.every(({ served }) => served === tasks[0].served);
  return {
    caption,
    columns: [{ title: "method" }, ...tasks.map((task) => ({ title: title(task) }))],
    rows: [
      ...rows.map((header, i) => ({
        header,
        isServed: isSame && tasks[0].served === header,
        cells: cells.map((column, k) => ({
          ...column[i],
          isServed: !isSame && tasks[k].served === header,
        })),
      })),
      {
        header: "always the commonest label",
        cells: tasks.map(({ measurements: [{ evaluations: [first] }] }) => ({
          text: percent(first.majority),
        })),
      },
    ],
  };
}

/** All figures of a task, by method. */
export function figureTable(task: TaskResult): Table {
  const { measurements, served } = task;
  const rows = measurements.map(({ row }) => row);
  const figures = FIGURES.filter(({ name }) =>
    measurements.some(({ evaluations: [first] }) => first[name] !== undefined)
  );
  const columns = figures.map((figure) => columnCells(measurements, rows, figure));
  const isValidated = measurements.some(({ validationAccuracy }) =>
    validationAccuracy !== undefined
  );
  return {
    caption: `${taskTitle(task)}: ${task.protocol}.`,
    columns: [
      { title: "method" },
      ...figures.map(({ title }) => ({ title })),
      ...isValidated ? [{ title: "validation, %" }] : [],
    ],
    rows: measurements.map(({ row, validationAccuracy }, i) => ({
      header: row,
      isServed: row === served,
      cells: [
        ...columns.map((column) => column[i]),
        ...isValidated
          ? [{ text: validationAccuracy === undefined ? "" : percent(validationAccuracy) }]
          : [],
      ],
    })),
  };
}

/** A figure of each row: mean and deviation over seeds, interval, and whether it is the best. */
function columnCells(
  measurements: readonly Measurement[],
  rows: readonly string[],
  { name, isPercent, isBetter }: typeof FIGURES[number],
): Cell[] {
  const format = (value: number) => isPercent ? percent(value) : value.toFixed(3);
  const found = rows.map((row) => measurements.find((measurement) => measurement.row === row));
  const values = found.map((measurement) =>
    measurement?.evaluations.flatMap((evaluation) => evaluation[name] ?? []) ?? []
  );
  const means = values.map((some) => some.reduce((a, b) => a + b, 0) / some.length);
  const shown = means.filter((mean) => !Number.isNaN(mean)).map(format).map(Number);
  const best = isBetter === "high" ? Math.max(...shown) : Math.min(...shown);
  return means.map((mean, i) => {
    if (Number.isNaN(mean)) return { text: "" };
    const interval = found[i]?.intervals[name];
    const detail = interval &&
      (isPercent ? percentInterval(interval) : `${format(interval.low)}–${format(interval.high)}`);
    return {
      text: values[i].length > 1
        ? `${format(mean)} ± ${format(deviation(values[i], mean))}`
        : format(mean),
      ...(detail && { detail }),
      isBest: shown.length > 1 && Number(format(mean)) === best,
    };
  });
}

function deviation(values: readonly number[], mean: number): number {
  return Math.sqrt(values.reduce((a, x) => a + (x - mean) ** 2, 0) / (values.length - 1));
}

/** Who differs from whom, beyond chance. */
export function comparisonTable({ comparisons }: TaskResult): Table {
  return {
    caption:
      "McNemar's exact test on the first seeds' answers, two-sided, not corrected for the number of comparisons.",
    columns: [
      { title: "methods" },
      { title: "only the first right" },
      { title: "only the second right" },
      { title: "p" },
      { title: "better, at 5 %", isText: true },
    ],
    rows: comparisons.map(({ first, second, onlyFirst, onlySecond, p }) => ({
      header: `${first} / ${second}`,
      cells: [
        { text: count(onlyFirst) },
        { text: count(onlySecond) },
        { text: chance(p) },
        { text: p < 0.05 ? (onlyFirst > onlySecond ? first : second) : "neither" },
      ],
    })),
  };
}

/** What was read. */
export function datasetTable({ datasets }: Experiment): Table {
  return {
    caption: "Data sets as they were used.",
    columns: [
      { title: "name" },
      { title: "what it is", isText: true },
      { title: "pictures used" },
      { title: "unreadable" },
      { title: "digest", isText: true },
    ],
    rows: datasets.map(({ name, description, pictures, unreadable, digest }) => ({
      header: name,
      cells: [
        { text: description },
        { text: count(pictures) },
        { text: count(unreadable.length) },
        { text: digest.replace(/^(sha256:)?(.{12}).*/, "$2…") },
      ],
    })),
  };
}
