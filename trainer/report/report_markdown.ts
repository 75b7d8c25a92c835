/**
 * An experiment as Markdown: the page's tables, without its pictures and plots.
 */

import type {
  DatasetSummary,
  Experiment,
  Measurement,
  Mistake,
  TaskResult,
} from "../evaluation/experiment.ts";
import { confusionCaption, confusionList, isListed, shownMeasurement } from "./confusion_matrix.ts";
import { escapeMarkdown } from "./escape_markdown.ts";
import {
  comparisonTable,
  crossDatasetTables,
  datasetTable,
  figureTable,
  ownTasks,
  summaryTable,
} from "./report_tables.ts";
import { type Table, tableMarkdown } from "./table.ts";
import { count, percentSign, taskTitle, taxonomyTitle } from "./words.ts";

/**
 * Writes the report.
 *
 * @param experiment whose thumbnails do not matter
 * @returns Markdown, the same for the same experiment
 */
export function reportMarkdown(experiment: Experiment): string {
  const { title, facts, notes, tasks } = experiment;
  return [
    `# ${escapeMarkdown(title)}`,
    list(facts.map(({ name, value }) => `${name}: ${value}`)),
    ...notes.map(escapeMarkdown),
    ...tasks.length === 0 ? [] : [
      `## Results on ${escapeMarkdown(ownTasks(experiment)[0].dataset)}`,
      tableMarkdown(summaryTable(experiment)),
    ],
    ...crossDatasetTables(experiment).flatMap(({ taxonomy, table }) => [
      `## Across data sets: ${escapeMarkdown(taxonomyTitle(taxonomy))}`,
      tableMarkdown(table),
    ]),
    ...tasks.flatMap(taskParagraphs),
    "## Data",
    tableMarkdown(datasetTable(experiment)),
    list(experiment.datasets.flatMap(datasetLines)),
  ].filter((paragraph) => paragraph !== "").join("\n\n") + "\n";
}

function taskParagraphs(task: TaskResult): string[] {
  const shown = shownMeasurement(task);
  return [
    `## ${escapeMarkdown(taskTitle(task))}`,
    tableMarkdown(figureTable(task)),
    ...shown ? [tableMarkdown((isListed(task) ? confusionList : confusionTable)(task, shown))] : [],
    ...task.comparisons.length > 0 ? [tableMarkdown(comparisonTable(task))] : [],
    ...task.mistakes.length > 0
      ? ["Its surest mistakes:", list(task.mistakes.map(mistakeLine))]
      : [],
  ];
}

function confusionTable({ labels }: TaskResult, { row, evaluations }: Measurement): Table {
  return {
    caption: confusionCaption(row),
    columns: [{ title: "" }, ...labels.map((title) => ({ title }))],
    rows: evaluations[0].confusion.map((pictures, i) => ({
      header: labels[i],
      cells: pictures.map((n, j) => ({ text: count(n), isBest: i === j })),
    })),
  };
}

function mistakeLine({ name, label, predicted, score }: Mistake): string {
  return `${name}: ${predicted} (${percentSign(score)}), raters: ${label}`;
}

function datasetLines({ name, unreadable, notes }: DatasetSummary): string[] {
  const [first] = unreadable;
  return [
    ...notes.map((note) => `${name}: ${note}`),
    ...first
      ? [
        `${name}: ${
          count(unreadable.length)
        } could not be read, such as ${first.name}: ${first.why}`,
      ]
      : [],
  ];
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${escapeMarkdown(line)}`).join("\n");
}
