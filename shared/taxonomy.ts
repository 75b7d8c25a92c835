/**
 * The label sets that CLIP-E speaks of, and the prompts that stand for their labels in CLIP's text space.
 * This is the one place that names labels; everything else refers to them by id.
 */

/** One label of a taxonomy. */
export interface Label {
  /** What data, bundles and answers call it. */
  readonly id: string;
  /** What people read. */
  readonly title: string;
  /** The text whose CLIP embedding stands for the label. */
  readonly prompt: string;
}

/** An ordered label set. The order is that of every logit, score and prompt vector. */
export interface Taxonomy {
  /** What data, bundles and answers call it. */
  readonly id: string;
  /** What people read. */
  readonly title: string;
  /** In order. */
  readonly labels: readonly Label[];
}

/** `label` or `label=word in the prompt`, where the prompt does not use the label's own name. */
type LabelSpec = string;

function taxonomy(
  id: string,
  title: string,
  specs: readonly LabelSpec[],
  prompt: (word: string) => string,
): Taxonomy {
  const labels = specs.map((spec) => {
    const [id, word = id] = spec.split("=");
    return { id, title: id.charAt(0).toUpperCase() + id.slice(1), prompt: prompt(word) };
  });
  return { id, title, labels };
}

const evokes = (word: string) => `a photo that evokes ${word}`;

/** Every taxonomy that the project knows by name. */
export const TAXONOMIES: readonly Taxonomy[] = [
  taxonomy(
    "polarity",
    "Polarity",
    ["negative", "positive"],
    (word) => `a photo that evokes a ${word} feeling`,
  ),
  // WEBEmo's primary emotions, after Parrott.
  taxonomy(
    "primary",
    "Primary emotions",
    ["anger", "fear", "joy", "love", "sadness", "surprise"],
    evokes,
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
    evokes,
  ),
  // Mikels et al. 2005, which FI is labelled with.
  taxonomy(
    "mikels",
    "Mikels' eight emotions",
    ["amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness"],
    evokes,
  ),
  // The quadrants of Russell's valence-arousal circumplex (1980), from pleasant and aroused, anticlockwise:
  // pleasant and aroused, unpleasant and aroused, unpleasant and quiet, pleasant and quiet.
  taxonomy("quadrant", "Mood quadrant", ["excitement", "distress", "gloom", "calm"], evokes),
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
