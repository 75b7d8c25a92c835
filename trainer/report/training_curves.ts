/**
 * How training went, as plots: for each method the losses on training and on validation pictures, by epoch.
 */

import type { TrainingCurve } from "../evaluation/experiment.ts";
import { type Markup, markup } from "./markup.ts";
import { panel, PANEL_WIDTH, panelGrid } from "./panels.ts";
import { drawPlot, FONT_SIZE } from "./plot.ts";

/**
 * Draws a panel for each method, with the curves of all its seeds, the first one's strongest.
 *
 * @param curves of one taxonomy
 * @returns nothing without curves
 */
export async function trainingCurves(
  curves: readonly TrainingCurve[],
): Promise<Markup | undefined> {
  const rows = [...new Set(curves.map(({ row }) => row))];
  if (rows.length === 0) return undefined;
  const panels: Markup[] = [];
  for (const row of rows) panels.push(await curvePanel(row, curves.filter((c) => c.row === row)));
  return markup`<p class="legend"><span class="key key-validation">validation</span> <span class="key key-train">training</span> <span class="key key-best">the epoch that was kept</span> Thin lines are further seeds.</p>
${panelGrid(panels)}`;
}

async function curvePanel(row: string, curves: readonly TrainingCurve[]): Promise<Markup> {
  const [first] = curves;
  const losses = curves.flatMap(({ seed, history }) =>
    history.flatMap(({ epoch, trainLoss, validationLoss }) => [
      {
        line: `train ${seed}`,
        epoch,
        loss: trainLoss,
        ...look("train", seed === first.seed),
      },
      {
        line: `validation ${seed}`,
        epoch,
        loss: validationLoss,
        ...look("validation", seed === first.seed),
      },
    ])
  );
  const best = curves.flatMap(({ seed, history, bestEpoch }) =>
    history.filter(({ epoch }) => epoch === bestEpoch)
      .map(({ epoch, validationLoss }) => ({
        epoch,
        loss: validationLoss,
        words: seed === first.seed ? String(epoch) : "",
        ...look("validation", seed === first.seed),
      }))
  );
  const [kept] = best;
  const label = `Losses of ${row} by epoch` +
    (kept
      ? `: on validation ${kept.loss.toFixed(4)} after epoch ${kept.epoch}, which was kept`
      : "");
  const x = { scale: "epoch", field: "epoch" };
  const y = { scale: "loss", field: "loss" };
  const style = {
    stroke: { field: "stroke" },
    strokeWidth: { field: "strokeWidth" },
    strokeOpacity: { field: "strokeOpacity" },
    strokeDash: { field: "strokeDash" },
  };
  const svg = await drawPlot({
    label,
    width: PANEL_WIDTH,
    height: 190,
    margins: { left: 46, right: 12, top: 14, bottom: 38 },
    data: [{ name: "losses", values: losses }, { name: "best", values: best.toReversed() }],
    scales: [
      {
        name: "epoch",
        domain: [1, Math.max(2, ...losses.map(({ epoch }) => epoch))],
        range: "width",
        zero: false,
      },
      {
        name: "loss",
        domain: { data: "losses", field: "loss" },
        range: "height",
        zero: false,
        nice: 5,
      },
    ],
    axes: [
      { scale: "epoch", orient: "bottom", title: "epoch", tickCount: 6, format: "d" },
      {
        scale: "loss",
        orient: "left",
        title: "loss",
        titleX: -36,
        tickCount: 5,
        grid: true,
        domain: false,
      },
    ],
    marks: [
      {
        type: "group",
        from: { facet: { name: "line", data: "losses", groupby: "line" } },
        marks: [{ type: "line", from: { data: "line" }, encode: { enter: { x, y, ...style } } }],
      },
      {
        type: "symbol",
        from: { data: "best" },
        encode: {
          enter: { x, y, ...style, size: { value: 45 }, fill: { value: "var(--card)" } },
        },
      },
      {
        type: "text",
        from: { data: "best" },
        encode: {
          enter: {
            x,
            y,
            dy: { value: -FONT_SIZE },
            align: { value: "center" },
            text: { field: "words" },
          },
        },
      },
    ],
  });
  return panel(row, undefined, svg);
}

/** The first seed's lines are strong, the others' faint; those of training are broken. */
function look(part: "train" | "validation", isFirst: boolean) {
  return {
    stroke: part === "train" ? "var(--second)" : "var(--accent)",
    strokeDash: part === "train" ? [5, 3] : [],
    strokeWidth: isFirst ? 2 : 1,
    strokeOpacity: isFirst ? 1 : 0.5,
  };
}
