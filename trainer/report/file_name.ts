/**
 * A file's name on a page: it breaks after its folders, and no letter in it turns the direction of what stands around.
 */

import { type Markup, markup } from "./markup.ts";

/** Shows a file's name. */
export function fileName(name: string): Markup {
  const parts = name.split(/(?<=[/_-])/);
  return markup`<bdi class="name">${
    parts.map((part, i) => markup`${i > 0 && markup`<wbr>`}${part}`)
  }</bdi>`;
}
