/**
 * A taxonomy of the user's own, as a JSON file: its labels, each with the texts that stand for it.
 */

import { z } from "zod";
import type { LabelName, Taxonomy } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import { fillTemplates, templateFault } from "./templates.ts";

/** A label with the texts that stand for it. */
export interface PromptedLabel extends LabelName {
  /** At least one. */
  readonly prompts: readonly string[];
}

const id = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "must be lower-case letters, digits, . _ -");
const text = z.string().min(1);
const texts = z.union([text.transform((one) => [one]), z.array(text).min(1)]);

/** A bare name is a label of that name: `"rainy day"` is `{"id": "rainy-day", "title": "Rainy day", ...}`. */
function fromName(label: unknown): unknown {
  if (typeof label !== "string") return label;
  return { id: label.toLowerCase().replace(/\s+/g, "-"), title: titled(label), names: label };
}

const file = z.strictObject({
  id,
  title: z.string().optional(),
  templates: z.array(
    z.string().superRefine((template, context) => {
      const message = templateFault(template);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    }),
  ).min(1).optional(),
  labels: z.array(z.preprocess(
    fromName,
    z.strictObject({
      id,
      title: z.string().optional(),
      prompts: texts.optional(),
      names: texts.optional(),
    }).refine(
      ({ prompts, names }) => (prompts === undefined) !== (names === undefined),
      "a label has either prompts, which are used as they are, or names, which go into the templates",
    ),
  )).min(2),
}).refine(({ templates, labels }) => templates || labels.every(({ prompts }) => prompts), {
  path: ["templates"],
  message: 'are needed where labels have names alone, such as ["a photo of {label}"]',
}).refine(({ templates, labels }) => !templates || labels.some(({ names }) => names), {
  path: ["templates"],
  message: "are of no use where every label has prompts: those are used as they are",
});

/**
 * Reads a label file. Either each label has its prompts, or each has names, which go into the file's templates:
 *
 * - `{"id": "weather", "labels": [{"id": "sun", "prompts": ["a sunny day", "sunshine"]}, ...]}`
 * - `{"id": "weather", "templates": ["a photo of {label}"], "labels": ["sunshine", {"id": "wet", "names": ["rain"]}]}`
 *
 * @param path of the file
 * @throws {TrainerError} saying which field is wrong and why
 */
export async function readLabelFile(path: string): Promise<Taxonomy<PromptedLabel>> {
  let json: unknown;
  try {
    json = JSON.parse(await Deno.readTextFile(path));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot read the labels ${path}: ${why}`, { cause });
  }
  const result = file.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
    throw new TrainerError(`Cannot use the labels ${path}: ${where}${issue.message}`);
  }
  const { labels, templates = [] } = result.data;
  const repeated = labels.find((label, i) => labels.findIndex((l) => l.id === label.id) !== i);
  if (repeated) {
    throw new TrainerError(`Cannot use the labels ${path}: ${repeated.id} is twice there`);
  }
  return {
    id: result.data.id,
    title: result.data.title ?? titled(result.data.id),
    labels: labels.map(({ id, title = titled(id), prompts, names = [] }) => ({
      id,
      title,
      prompts: prompts ?? fillTemplates(templates, names),
    })),
  };
}

function titled(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
