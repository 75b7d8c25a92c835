/**
 * What was taken for what: a heat map of numbers, as a table, so that it can be read out and copied.
 */

import type { Measurement, TaskResult } from "../evaluation/experiment.ts";
import { type Markup, markup } from "./markup.ts";
import { type Table, tableMarkup } from "./table.ts";
import { count, percentSign } from "./words.ts";

/** With more labels than this, a cell has room for one number alone. */
const ROOMY = 8;

/** With more labels than this, no matrix can be looked at: what was taken for what most often is listed instead. */
const LISTED_FROM = 40;

/** Of those, so many are listed. */
const LISTED = 30;

/** Steps of the heat map, finer for small shares; the page's style has a class for each. */
const SHADES = 10;

/** The method whose confusion is shown: the served one, or the first where none serves. */
export function shownMeasurement({ measurements, served }: TaskResult): Measurement | undefined {
  return measurements.find(({ row }) => row === served) ?? measurements[0];
}

/** What the matrix of a method shows. */
export function confusionCaption(row: string): string {
  return `${row}: pictures by what raters said (rows) and what it said (columns).`;
}

/** Shows the confusion of a task's served method. A cell's shade is its share of its row. */
export function confusionMatrix(task: TaskResult): Markup | undefined {
  const shown = shownMeasurement(task);
  if (!shown) return undefined;
  const { labels } = task;
  if (isListed(task)) return tableMarkup(confusionList(task, shown));
  const caption = `${
    confusionCaption(shown.row)
  } The stronger the colour, the larger the share of the row.`;
  const isRoomy = labels.length <= ROOMY;
  const cell = (pictures: number, share: number, isRight: boolean) => {
    const shade = Math.ceil(share ** 0.6 * SHADES - 1e-9);
    const look = `${isRight ? "right" : "wrong"} shade-${shade}`;
    return markup`<td class="${look}">${count(pictures)}${
      isRoomy && markup`<small>${percentSign(share)}</small>`
    }</td>`;
  };
  return markup`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table class="confusion${!isRoomy && " dense"}">
<caption><span>${caption}</span></caption>
<thead><tr><th scope="col">raters ↓<br>method →</th>${
    labels.map((label) => markup`<th scope="col"><span>${label}</span></th>`)
  }</tr></thead>
<tbody>
${
    shown.evaluations[0].confusion.map((row, i) => {
      const total = row.reduce((a, b) => a + b, 0);
      return markup`<tr><th scope="row">${labels[i]} <small>${count(total)}</small></th>${
        row.map((pictures, j) => cell(pictures, total > 0 ? pictures / total : 0, i === j))
      }</tr>
`;
    })
  }</tbody>
</table>
</div>
`;
}

/** Whether a task has too many labels for a matrix. */
export function isListed({ labels }: TaskResult): boolean {
  return labels.length > LISTED_FROM;
}

/** The labels that were taken for another most often. */
export function confusionList({ labels }: TaskResult, { row, evaluations }: Measurement): Table {
  const taken = evaluations[0].confusion.flatMap((pictures, i) => {
    const total = pictures.reduce((a, b) => a + b, 0);
    return pictures.flatMap((n, j) => i === j || n === 0 ? [] : [{ i, j, n, total }]);
  }).sort((a, b) => b.n - a.n || a.i - b.i || a.j - b.j);
  return {
    caption: `${row}: the labels that it took for another most often, of ${labels.length}. ` +
      "report.json has all.",
    columns: [
      { title: "raters said" },
      { title: "it said", isText: true },
      { title: "pictures" },
      { title: "of the label's" },
    ],
    rows: taken.slice(0, LISTED).map(({ i, j, n, total }) => ({
      header: labels[i],
      cells: [{ text: labels[j] }, { text: count(n) }, { text: percentSign(n / total) }],
    })),
  };
}
