/**
 * Whether scores mean what they say, as plots: for each method how often it was right about pictures of like confidence, and
 * how many such pictures there were.
 */

import type { Measurement, TaskResult } from "../evaluation/experiment.ts";
import { type Markup, markup } from "./markup.ts";
import { panel, PANEL_WIDTH, panelGrid } from "./panels.ts";
import { drawPlot } from "./plot.ts";
import { count, percentSign } from "./words.ts";

/** Draws a panel for each method that has confidences. */
export async function reliabilityDiagrams(task: TaskResult): Promise<Markup | undefined> {
  const panels: Markup[] = [];
  for (const measurement of task.measurements) {
    if (measurement.reliability.some((bin) => bin.count > 0)) {
      panels.push(await diagram(measurement));
    }
  }
  if (panels.length === 0) return undefined;
  return markup`<p class="legend">Points on the diagonal: as often right as sure. Below it: too sure. Bars count the pictures. First seeds.</p>
${panelGrid(panels)}`;
}

const HEIGHT = 280;
const MARGINS = { left: 46, right: 16, top: 8, bottom: 38 };
/** Heights, from the top: the diagram, a gap, the counts. */
const DIAGRAM = 172;
const COUNTS_TOP = 190;

async function diagram(
  { row, reliability, evaluations: [evaluation] }: Measurement,
): Promise<Markup> {
  const bottom = HEIGHT - MARGINS.top - MARGINS.bottom;
  const bins = reliability.filter((bin) => bin.count > 0);
  const most = Math.max(...bins.map((bin) => bin.count));
  const error = percentSign(evaluation.expectedCalibrationError);
  const x = { scale: "confidence", field: "confidence" };
  const y = { scale: "accuracy", field: "accuracy" };
  const svg = await drawPlot({
    label: `Reliability of ${row}: ` +
      bins.map((bin) =>
        `of ${count(bin.count)} pictures at confidence ${percentSign(bin.confidence)}, ` +
        `${percentSign(bin.accuracy)} right`
      ).join("; "),
    width: PANEL_WIDTH,
    height: HEIGHT,
    margins: MARGINS,
    data: [{ name: "bins", values: [...bins] }],
    scales: [
      { name: "confidence", domain: [0, 1], range: "width" },
      { name: "accuracy", domain: [0, 1], range: [DIAGRAM, 0] },
      { name: "count", domain: [0, most], range: [bottom, COUNTS_TOP], nice: 2 },
    ],
    axes: [
      { scale: "confidence", orient: "bottom", title: "confidence", format: ".0%", tickCount: 5 },
      {
        scale: "accuracy",
        orient: "left",
        title: "accuracy",
        format: ".0%",
        tickCount: 5,
        grid: true,
        domain: false,
        titleX: -36,
        titleY: DIAGRAM / 2,
      },
      {
        scale: "count",
        orient: "left",
        format: "~s",
        tickCount: 2,
        grid: true,
        domain: false,
      },
    ],
    marks: [
      {
        type: "rule",
        encode: {
          enter: {
            x: { scale: "confidence", value: 0 },
            y: { scale: "accuracy", value: 0 },
            x2: { scale: "confidence", value: 1 },
            y2: { scale: "accuracy", value: 1 },
            stroke: { value: "var(--muted)" },
            strokeDash: { value: [4, 4] },
          },
        },
      },
      {
        type: "rule",
        from: { data: "bins" },
        encode: {
          enter: {
            x,
            y,
            y2: { scale: "accuracy", field: "confidence" },
            stroke: { value: "var(--soft)" },
            strokeWidth: { value: 5 },
          },
        },
      },
      {
        type: "line",
        from: { data: "bins" },
        encode: {
          enter: { x, y, stroke: { value: "var(--accent)" }, strokeWidth: { value: 1.5 } },
        },
      },
      {
        type: "symbol",
        from: { data: "bins" },
        encode: { enter: { x, y, size: { value: 28 }, fill: { value: "var(--accent)" } } },
      },
      {
        type: "rule",
        from: { data: "bins" },
        encode: {
          enter: {
            x,
            y: { scale: "count", value: 0 },
            y2: { scale: "count", field: "count" },
            stroke: { value: "var(--soft)" },
            strokeWidth: { value: 9 },
          },
        },
      },
    ],
  });
  return panel(row, `calibration error ${error}`, svg);
}
