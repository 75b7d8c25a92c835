/**
 * The label sets that CLIP-E speaks of, and the prompts that stand for their labels in CLIP's text space.
 * This is the one place that names labels; everything else refers to them by id.
 */

/** What a label is called. */
export interface LabelName {
  /** What data, bundles and answers call it. */
  readonly id: string;
  /** What people read. */
  readonly title: string;
}

/** One label of a taxonomy. */
export interface Label extends LabelName {
  /** What its prompts call it: a noun, or a phrase that stands for one. */
  readonly word: string;
  /** The text whose CLIP embedding stands for the label. */
  readonly prompt: string;
}

/** An ordered label set. The order is that of every logit, score and prompt vector. */
export interface Taxonomy<L extends LabelName = Label> {
  /** What data, bundles and answers call it. */
  readonly id: string;
  /** What people read. */
  readonly title: string;
  /** In order. */
  readonly labels: readonly L[];
}

/** `label` or `label=word in the prompt`, where the prompt does not use the label's own name. */
type LabelSpec = string;

function taxonomy(
  id: string,
  title: string,
  specs: readonly LabelSpec[],
): Taxonomy {
  const labels = specs.map((spec) => {
    const [id, word = id] = spec.split("=");
    const title = id.charAt(0).toUpperCase() + id.slice(1);
    return { id, title, word, prompt: `a photo that evokes ${word}` };
  });
  return { id, title, labels };
}

/** Every taxonomy that the project knows by name. */
export const TAXONOMIES: readonly Taxonomy[] = [
  taxonomy(
    "polarity",
    "Polarity",
    ["negative=a negative feeling", "positive=a positive feeling"],
  ),
  // WEBEmo's primary emotions, after Parrott.
  taxonomy(
    "primary",
    "Primary emotions",
    ["anger", "fear", "joy", "love", "sadness", "surprise"],
  ),
  // WEBEmo's secondary emotions. Two prompts keep the misspelling that the published contrastive head was trained with.
  taxonomy(
    "secondary",
    "Secondary emotions",
    [
      "affection",
      "cheerfulness=cheerfullness",
      "confusion",
      "contentment",
      "disappointment",
      "disgust",
      "enthrallment",
      "envy",
      "exasperation",
      "gratitude",
      "horror",
      "irritability=irritabilty",
      "lust",
      "neglect",
      "nervousness",
      "optimism",
      "pride",
      "rage",
      "relief",
      "sadness",
      "shame",
      "suffering",
      "surprise",
      "sympathy",
      "zest",
    ],
  ),
  // Mikels et al. 2005, which FI is labelled with.
  taxonomy(
    "mikels",
    "Mikels' eight emotions",
    ["amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness"],
  ),
  // The quadrants of Russell's valence-arousal circumplex (1980), from pleasant and aroused, anticlockwise:
  // pleasant and aroused, unpleasant and aroused, unpleasant and quiet, pleasant and quiet.
  taxonomy("quadrant", "Mood quadrant", ["excitement", "distress", "gloom", "calm"]),
];

/**
 * Finds a taxonomy that the project knows by name.
 *
 * @param id such as `polarity`
 * @returns the taxonomy, or `undefined` for a name of the user's own
 */
export function findTaxonomy(id: string): Taxonomy | undefined {
  return TAXONOMIES.find((taxonomy) => taxonomy.id === id);
}
