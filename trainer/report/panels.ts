/**
 * Plots side by side.
 */

import { type Markup, markup } from "./markup.ts";

/** Width of every panel's plot, in the SVG's units; four of them fit beside each other at about that many pixels. */
export const PANEL_WIDTH = 240;

/** A plot under its name. */
export function panel(title: string, aside: string | undefined, plot: Markup): Markup {
  return markup`<figure><figcaption>${title}${
    aside !== undefined && markup` <span class="aside">${aside}</span>`
  }</figcaption>
${plot}</figure>
`;
}

/** Lays panels out in rows of three, or of four where that leaves fewer gaps; on narrow screens of fewer. */
export function panelGrid(panels: readonly Markup[]): Markup {
  const isFour = panels.length % 4 === 0 || panels.length === 7;
  return markup`<div class="panels${isFour && " four"}">
${panels}</div>
`;
}
