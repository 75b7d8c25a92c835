/**
 * An experiment as one HTML file that needs nothing else: no script, no network. Its policy lets it load nothing but its own
 * style and small pictures that are in it.
 */

import type { Experiment } from "../evaluation/experiment.ts";
import { accuracyDomain, accuracyPanels, accuracyPlot } from "./accuracy_plot.ts";
import { confusionMatrix } from "./confusion_matrix.ts";
import { fileName } from "./file_name.ts";
import { Markup, markup } from "./markup.ts";
import { mistakeGallery } from "./mistake_gallery.ts";
import { reliabilityDiagrams } from "./reliability_diagram.ts";
import css from "./report.css" with { type: "text" };
import {
  comparisonTable,
  crossDatasetTables,
  datasetTable,
  figureTable,
  ownTasks,
  summaryTable,
} from "./report_tables.ts";
import { tableMarkup } from "./table.ts";
import { trainingCurves } from "./training_curves.ts";
import { count, taskTitle, taxonomyTitle } from "./words.ts";

/** Of a data set's unreadable pictures, so many are named; `report.json` names all. */
const UNREADABLE_SHOWN = 10;

/**
 * Writes the page.
 *
 * @param experiment with thumbnails, where there are to be any
 * @returns HTML, the same for the same experiment
 */
export async function reportHtml(experiment: Experiment): Promise<string> {
  const { title, facts, notes } = experiment;
  const sections = [
    ...await summarySections(experiment),
    ...await taskSections(experiment),
    datasetSection(experiment),
  ];
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${await digest(
    css,
  )}'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="CLIP-E">
<title>${title}</title>
<style>${new Markup(css)}</style>
</head>
<body>
<header>
<p class="eyebrow">CLIP-E · experiment</p>
<h1>${title}</h1>
<dl>
${facts.map(({ name, value }) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>
${noteList(notes)}</header>
<nav aria-label="Contents">
<ul>
${sections.map(({ id, heading }) => markup`<li><a href="#${id}">${heading}</a></li>\n`)}</ul>
</nav>
<main>
${
    sections.map(({ id, heading, body }) =>
      markup`<section id="${id}" aria-labelledby="${id}-heading">
<h2 id="${id}-heading">${heading}</h2>
${body}</section>
`
    )
  }</main>
</body>
</html>
`.text;
}

/** A part of the page. */
interface Section {
  readonly id: string;
  readonly heading: string;
  readonly body: Markup;
}

async function summarySections(experiment: Experiment): Promise<Section[]> {
  if (experiment.tasks.length === 0) return [];
  const own = ownTasks(experiment);
  const plots: Markup[] = [];
  for (const task of own) {
    plots.push(await accuracyPlot(task, taxonomyTitle(task.taxonomy), accuracyDomain([task])));
  }
  const sections: Section[] = [{
    id: "summary",
    heading: `Results on ${own[0].dataset}`,
    body: markup`${tableMarkup(summaryTable(experiment))}
${accuracyPanels(plots)}`,
  }];
  const cross = crossDatasetTables(experiment);
  if (cross.length === 0) return sections;
  const parts: Markup[] = [];
  for (const { taxonomy, table } of cross) {
    const tasks = experiment.tasks.filter((task) => task.taxonomy === taxonomy);
    const domain = accuracyDomain(tasks);
    const panels: Markup[] = [];
    for (const task of tasks) panels.push(await accuracyPlot(task, task.dataset, domain));
    parts.push(markup`<h3>${taxonomyTitle(taxonomy)}</h3>
${tableMarkup(table)}
${accuracyPanels(panels)}`);
  }
  return [...sections, { id: "cross", heading: "Across data sets", body: markup`${parts}` }];
}

async function taskSections({ tasks, curves }: Experiment): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [i, task] of tasks.entries()) {
    const isFirst = tasks.findIndex(({ taxonomy }) => taxonomy === task.taxonomy) === i;
    const own = isFirst ? curves.filter(({ taxonomy }) => taxonomy === task.taxonomy) : [];
    const comparisons = task.comparisons.length > 0 && tableMarkup(comparisonTable(task));
    sections.push({
      id: `task-${i + 1}`,
      heading: taskTitle(task),
      body: markup`${tableMarkup(figureTable(task))}
${part("Training", await trainingCurves(own))}
${part("Confusion", confusionMatrix(task))}
${part("Reliability", await reliabilityDiagrams(task))}
${part("Differences beyond chance", comparisons)}
${part("Surest mistakes", mistakeGallery(task.mistakes))}`,
    });
  }
  return sections;
}

function part(heading: string, body: Markup | undefined | false): Markup | undefined {
  return body ? markup`<h3>${heading}</h3>\n${body}` : undefined;
}

function datasetSection(experiment: Experiment): Section {
  const details = experiment.datasets.map(({ name, unreadable, notes }) => {
    if (unreadable.length === 0 && notes.length === 0) return undefined;
    const rest = unreadable.length - UNREADABLE_SHOWN;
    return markup`<h3>${name}</h3>
${noteList(notes)}${
      unreadable.length > 0 && markup`<p>Pictures that could not be read:</p>
<ul>
${
        unreadable.slice(0, UNREADABLE_SHOWN).map(({ name, why }) =>
          markup`<li>${fileName(name)}: ${why}</li>\n`
        )
      }${rest > 0 && markup`<li>and ${count(rest)} more, which report.json names</li>\n`}</ul>
`
    }`;
  });
  return {
    id: "data",
    heading: "Data",
    body: markup`${tableMarkup(datasetTable(experiment))}
${details}`,
  };
}

function noteList(notes: readonly string[]): Markup | undefined {
  if (notes.length === 0) return undefined;
  return markup`<ul class="notes">
${notes.map((note) => markup`<li>${note}</li>\n`)}</ul>
`;
}

/** As a policy names a style that it allows. */
async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${new Uint8Array(hash).toBase64()}`;
}
