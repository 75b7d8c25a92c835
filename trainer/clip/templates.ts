/**
 * Prompt templates: texts with a place for a label, such as `a photo of {label}`.
 */

const PLACE = "{label}";

/**
 * Says what is wrong with a template.
 *
 * @param template any text
 * @returns a sentence without its subject, or `undefined` where nothing is wrong
 */
export function templateFault(template: string): string | undefined {
  if (template.includes(PLACE)) return undefined;
  return `must hold ${PLACE} where the label goes, and is ${JSON.stringify(template)}`;
}

/**
 * Puts each name into each template.
 *
 * @param templates with `{label}` one or several times
 * @param names of one label
 * @returns every text, template by template
 */
export function fillTemplates(templates: readonly string[], names: readonly string[]): string[] {
  return templates.flatMap((template) => names.map((name) => template.split(PLACE).join(name)));
}
