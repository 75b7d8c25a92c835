/**
 * The labels that are measured: three of the project's own taxonomies, and a hundred to see how cost grows.
 */

import { findTaxonomy } from "@clip-e/shared";

/** Labels, each with the text that stands for it. */
export interface LabelSet {
  readonly id: string;
  readonly title: string;
  readonly labels: readonly {
    readonly id: string;
    readonly title: string;
    readonly prompt: string;
  }[];
}

/** Ways to show something, four for each of the 25 emotions. */
const KINDS = ["photo", "painting", "drawing", "poster"] as const;

function hundredLabels(): LabelSet {
  const emotions = known("secondary").labels;
  return {
    id: "hundred",
    title: "A hundred labels",
    labels: KINDS.flatMap((kind) =>
      emotions.map(({ id, title, prompt }) => ({
        id: `${kind}-${id}`,
        title: `${title}, a ${kind}`,
        prompt: prompt.replace("photo", kind),
      }))
    ),
  };
}

function known(id: string): LabelSet {
  const taxonomy = findTaxonomy(id);
  if (!taxonomy) throw new Error(`Cannot measure ${id}: the project has no such taxonomy`);
  return taxonomy;
}

/** The taxonomy that no bundle has by itself. */
export const HUNDRED: LabelSet = hundredLabels();

/** All, the smallest first. */
export const LABEL_SETS: readonly LabelSet[] = [
  ...["polarity", "primary", "secondary"].map(known),
  HUNDRED,
];
