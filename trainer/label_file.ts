/**
 * A taxonomy of the user's own, as a JSON file: its labels, each with the texts that stand for it.
 */

import { z } from "zod";
import type { Label, Taxonomy } from "@clip-e/shared";
import { TrainerError } from "./errors.ts";

/** A taxonomy whose labels have several texts each. */
export interface PromptedTaxonomy extends Pick<Taxonomy, "id" | "title"> {
  /** In order. */
  readonly labels:
    readonly (Pick<Label, "id" | "title"> & { readonly prompts: readonly string[] })[];
}

const id = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "must be lower-case letters, digits, . _ -");

const file = z.strictObject({
  id,
  title: z.string().optional(),
  labels: z.array(z.strictObject({
    id,
    title: z.string().optional(),
    prompts: z.union([
      z.string().min(1).transform((text) => [text]),
      z.array(z.string().min(1)).min(1),
    ]),
  })).min(2),
});

/**
 * Reads a label file: `{"id": "weather", "labels": [{"id": "sun", "prompts": ["a sunny day", "sunshine"]}, ...]}`.
 *
 * @param path of the file
 * @throws {TrainerError} saying which field is wrong and why
 */
export async function readLabelFile(path: string): Promise<PromptedTaxonomy> {
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
  const { labels } = result.data;
  const repeated = labels.find((label, i) => labels.findIndex((l) => l.id === label.id) !== i);
  if (repeated) {
    throw new TrainerError(`Cannot use the labels ${path}: ${repeated.id} is twice there`);
  }
  const titled = (given: string | undefined, id: string) =>
    given ?? id.charAt(0).toUpperCase() + id.slice(1);
  return {
    id: result.data.id,
    title: titled(result.data.title, result.data.id),
    labels: labels.map(({ id, title, prompts }) => ({ id, title: titled(title, id), prompts })),
  };
}
