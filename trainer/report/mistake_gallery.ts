/**
 * What the served method was sure of, and wrong about, as pictures.
 */

import type { Mistake } from "../evaluation/experiment.ts";
import { fileName } from "./file_name.ts";
import { type Markup, markup } from "./markup.ts";
import { percentSign } from "./words.ts";

/** Shows mistakes; those without a picture by their names alone. */
export function mistakeGallery(mistakes: readonly Mistake[]): Markup | undefined {
  if (mistakes.length === 0) return undefined;
  return markup`<ul class="gallery">
${
    mistakes.map(({ name, label, predicted, score, thumbnail }) =>
      markup`<li><figure>${
        thumbnail !== undefined && isJpeg(thumbnail)
          ? markup`<img src="${thumbnail}" alt="${name}">`
          : markup`<div class="missing">no picture</div>`
      }<figcaption><strong>${predicted}</strong> ${percentSign(score)}<br>raters: ${label}<br>${
        fileName(name)
      }</figcaption></figure></li>
`
    )
  }</ul>
`;
}

/** Nothing but a JPEG's bytes comes into the page. */
function isJpeg(address: string): boolean {
  return /^data:image\/jpeg;base64,[\w+/]+=*$/.test(address);
}
