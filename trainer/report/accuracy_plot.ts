/**
 * Accuracies at a glance: each method's mean over seeds, its seeds, and the first one's interval.
 */

import type { EncodeEntry, Mark } from "vega";
import type { TaskResult } from "../evaluation/experiment.ts";
import { type Markup, markup } from "./markup.ts";
import { panel, PANEL_WIDTH, panelGrid } from "./panels.ts";
import { drawPlot } from "./plot.ts";
import { percent, percentInterval, percentSign } from "./words.ts";

/** Of a method, in the SVG's units: its name, and beneath it its interval. */
const ROW_HEIGHT = 36;
/** Letters that fit beside a figure. */
const NAME_LENGTH = 34;
const MARGINS = { left: 10, right: 16, top: 4, bottom: 34 };

/**
 * The range that shows all of some tasks' accuracies, with room around.
 *
 * @returns low and high share
 */
export function accuracyDomain(tasks: readonly TaskResult[]): [number, number] {
  const shares = tasks.flatMap(({ measurements }) =>
    measurements.flatMap(({ evaluations, intervals: { accuracy } }) => [
      ...evaluations.map(({ accuracy }) => accuracy),
      ...(accuracy ? [accuracy.low, accuracy.high] : []),
    ])
  );
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  const room = Math.max(0.01, (high - low) * 0.06);
  return [Math.max(0, low - room), Math.min(1, high + room)];
}

/**
 * Draws a task's methods one below the other.
 *
 * @param task with a measurement or more
 * @param title what the panel is called
 * @param domain as {@linkcode accuracyDomain} gives it
 */
export async function accuracyPlot(
  task: TaskResult,
  title: string,
  domain: readonly [number, number],
): Promise<Markup> {
  const methods = task.measurements.map(({ row, evaluations, intervals }, i) => {
    const accuracies = evaluations.map(({ accuracy }) => accuracy);
    const mean = accuracies.reduce((a, b) => a + b, 0) / accuracies.length;
    const { low, high } = intervals.accuracy ?? { low: mean, high: mean };
    const isServed = row === task.served;
    return {
      row: isServed ? `${shorten(row, NAME_LENGTH - 9)} (served)` : shorten(row, NAME_LENGTH),
      accuracies,
      mean,
      low,
      high,
      middle: i * ROW_HEIGHT + 22,
      fill: isServed ? "var(--accent)" : "var(--ink)",
      words: `${row} ${percentSign(mean)}` +
        (intervals.accuracy ? ` (${percentInterval(intervals.accuracy)} %)` : ""),
      figure: percent(mean),
    };
  });
  const majority = task.measurements[0].evaluations[0].majority;
  const isMajorityShown = majority >= domain[0] && majority <= domain[1];
  const height = methods.length * ROW_HEIGHT + MARGINS.top + MARGINS.bottom;
  const y = { field: "middle" };
  const x = { scale: "accuracy", field: "mean" };
  const svg = await drawPlot({
    label: `Accuracy, ${title}: ${methods.map((method) => method.words).join("; ")}. ` +
      `Always saying the commonest label: ${percentSign(majority)}`,
    width: PANEL_WIDTH,
    height,
    margins: MARGINS,
    data: [
      { name: "methods", values: methods },
      {
        name: "seeds",
        values: methods.flatMap(({ accuracies, middle }) =>
          accuracies.length > 1 ? accuracies.map((accuracy) => ({ accuracy, middle })) : []
        ),
      },
    ],
    scales: [{ name: "accuracy", domain: [...domain], range: "width", zero: false }],
    axes: [{
      scale: "accuracy",
      orient: "bottom",
      format: ".0%",
      tickCount: 4,
      grid: true,
      domain: false,
      title: "accuracy",
    }],
    marks: [
      ...isMajorityShown ? [majorityMark(majority)] : [],
      {
        type: "rule",
        from: { data: "methods" },
        encode: {
          enter: {
            x: { scale: "accuracy", field: "low" },
            x2: { scale: "accuracy", field: "high" },
            y,
            stroke: { field: "fill" },
            strokeWidth: { value: 2 },
          },
        },
      },
      {
        type: "symbol",
        from: { data: "seeds" },
        encode: {
          enter: {
            x: { scale: "accuracy", field: "accuracy" },
            y,
            shape: { value: "stroke" },
            angle: { value: 90 },
            size: { value: 60 },
            stroke: { value: "var(--muted)" },
          },
        },
      },
      {
        type: "symbol",
        from: { data: "methods" },
        encode: { enter: { x, y, size: { value: 32 }, fill: { field: "fill" } } },
      },
      nameMark({ stroke: { value: "var(--card)" }, strokeWidth: { value: 5 } }),
      nameMark({}),
      {
        type: "text",
        from: { data: "methods" },
        encode: {
          enter: {
            x: { signal: "width" },
            align: { value: "right" },
            ...WORDS,
            text: { field: "figure" },
          },
        },
      },
    ],
  });
  const commonest = `always the commonest label: ${percentSign(majority)}`;
  return panel(title, isMajorityShown ? `${commonest} (dotted)` : commonest, svg);
}

/** Lays such plots out, under what their marks mean. */
export function accuracyPanels(plots: readonly Markup[]): Markup {
  return markup`<p class="legend">Dots: means over seeds, each of which is a stroke. Lines: 95 % intervals of the first seeds.</p>
${panelGrid(plots)}`;
}

function shorten(name: string, length: number): string {
  return name.length > length ? `${name.slice(0, length - 1)}…` : name;
}

/** What always saying the commonest label comes to. */
function majorityMark(majority: number): Mark {
  return {
    type: "rule",
    encode: {
      enter: {
        x: { scale: "accuracy", value: majority },
        y: { value: 0 },
        y2: { signal: "height" },
        stroke: { value: "var(--muted)" },
        strokeDash: { value: [2, 3] },
      },
    },
  };
}

/** Above a method's interval. */
const WORDS = { y: { field: "middle", offset: -10 }, fill: { field: "fill" } };

/** Methods' names; drawn thick in the ground's colour first, they stand clear of lines behind them. */
function nameMark(ground: EncodeEntry): Mark {
  return {
    type: "text",
    from: { data: "methods" },
    encode: { enter: { x: { value: 0 }, ...WORDS, text: { field: "row" }, ...ground } },
  };
}
