/**
 * Text that is safe to put into a page. Labels and file names are whatever users call them: they are escaped here, in one
 * place, because nothing but {@linkcode Markup} goes into a page as it is.
 */

/** HTML or SVG that may be shown as it is. */
export class Markup {
  /** @param text well-formed, with every foreign word escaped */
  constructor(readonly text: string) {}
}

/** What a template takes; nothing is shown of `undefined` and `false`. */
export type Content = Markup | string | number | undefined | false | readonly Content[];

/** Writes markup: `` markup`<p>${words}</p>` `` escapes the words. */
export function markup(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(
    strings.map((text, i) => text + (i < contents.length ? show(contents[i]) : "")).join(""),
  );
}

function show(content: Content): string {
  if (content === undefined || content === false) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "string") return escape(content);
  if (typeof content === "number") return String(content);
  return content.map(show).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return replaceUnprintable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** Puts U+FFFD for characters that XML does not allow: control characters, and halves of surrogate pairs. */
export function replaceUnprintable(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what is looked for
  return text.toWellFormed().replace(/[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]/g, "\ufffd");
}
