/**
 * What was taken for what: a heat map of numbers, as a table, so that it can be read out and copied.
 */

import type { Measurement, TaskResult } from "../evaluation/experiment.ts";
import { type Markup, markup } from "./markup.ts";
import { count, percentSign } from "./words.ts";

/** With more labels than this, a cell has room for one number alone. */
const ROOMY = 8;

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
