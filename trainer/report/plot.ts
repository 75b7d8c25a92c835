/**
 * Plots as SVG that goes into a page: it takes the page's font and colours, by CSS variables, so that it is at home in light
 * and in dark, and scales with the page. Vega draws, without a browser; no plot here runs a script.
 */

import {
  type Axis,
  type Config,
  type Data,
  Error as ERROR,
  type Mark,
  parse,
  type Scale,
  View,
} from "vega";
import { Markup, markup } from "./markup.ts";

/** Space around the axes, in the SVG's units; on a wide screen one is about a pixel. */
export interface Margins {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** What to draw. */
export interface Plot {
  /** What it shows, for people who do not see it. */
  readonly label: string;
  /** Of the SVG, margins included. */
  readonly width: number;
  /** Of the SVG, margins included. */
  readonly height: number;
  /** Around the axes. */
  readonly margins: Margins;
  /** Rows that marks name. */
  readonly data: readonly Data[];
  /** That axes and marks name. */
  readonly scales: readonly Scale[];
  /** Beside the marks. */
  readonly axes: readonly Axis[];
  /** In the order of drawing. */
  readonly marks: readonly Mark[];
}

/** Sizes of letters, in the SVG's units. */
export const FONT_SIZE = 11;

const CONFIG: Config = {
  axis: {
    domainColor: "var(--line)",
    gridColor: "var(--line)",
    gridOpacity: 0.7,
    labelColor: "var(--muted)",
    labelFont: "inherit",
    labelFontSize: FONT_SIZE,
    labelPadding: 5,
    ticks: false,
    titleColor: "var(--muted)",
    titleFont: "inherit",
    titleFontSize: FONT_SIZE,
    titleFontWeight: "normal",
    titlePadding: 6,
  },
  text: { font: "inherit", fontSize: FONT_SIZE, fill: "var(--ink)" },
};

/**
 * Draws a plot.
 *
 * @param plot whose texts may be anybody's
 * @returns an `<svg>` element, with the same bytes for the same plot
 */
export async function drawPlot(plot: Plot): Promise<Markup> {
  const { label, width, height, margins, data, scales, axes, marks } = plot;
  const spec = {
    width: width - margins.left - margins.right,
    height: height - margins.top - margins.bottom,
    padding: margins,
    autosize: "none" as const,
    data: structuredClone([...data]), // Vega leaves marks on rows
    scales: [...scales],
    axes: [...axes],
    marks: [...marks],
  };
  const view = new View(parse(spec, CONFIG), { renderer: "none", logLevel: ERROR });
  const svg = await view.toSVG();
  view.finalize();
  const inner = new Markup(slim(svg));
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" viewBox="0 0 ${width} ${height}" aria-label="${label}">${inner}</svg>`;
}

/**
 * Leaves out Vega's own `<svg>` tag, what its scripts would need, and descriptions of parts: the plot is one picture, with one
 * label. Nobody sees more than two decimals of a coordinate. Vega escapes `<` and `>` in texts, so that nothing but tags looks
 * like one.
 */
function slim(svg: string): string {
  const left = /^<svg[^>]*>|<\/svg>$|<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?\/>/g;
  return svg.replace(/<[^>]+>/g, (tag) =>
    tag
      .replace(/ (?:(?:class|role|aria-[a-z]+|pointer-events)="[^"]*"|opacity="1")/g, "")
      .replace(/\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2)))))
    .replace(left, "");
}
