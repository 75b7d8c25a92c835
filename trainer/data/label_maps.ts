/**
 * What labels are called in coarser label sets: the one place that says which emotions are positive. A data set's own files
 * come first, then what was published with a label set.
 */

import { findTaxonomy } from "@clip-e/shared";
import type { LabelMap } from "./dataset.ts";

/** By taxonomy and label, what a data set itself says; `null` leaves a label out. */
export type OwnMaps = ReadonlyMap<string, ReadonlyMap<string, string | null>>;

/** A label's primary emotion and polarity. */
export interface HierarchyEntry {
  /** As the file has it; may be none of the primary taxonomy's labels. */
  readonly primary: string;
  /** Of the polarity taxonomy. */
  readonly polarity: "negative" | "positive";
}

const POSITIVE = "positive";
const NEGATIVE = "negative";

function polarities(positive: readonly string[], negative: readonly string[]): LabelMap {
  return new Map([
    ...positive.map((label): [string, string] => [label, POSITIVE]),
    ...negative.map((label): [string, string] => [label, NEGATIVE]),
  ]);
}

/**
 * WEBEmo's three levels, after Parrott: secondary emotions under primary ones, as published in the data set's
 * `category.txt` (Panda et al., ECCV 2018). Confusion stands there under itself: it has no primary emotion.
 */
const WEBEMO_PRIMARY: Readonly<Record<string, readonly string[]>> = {
  anger: ["disgust", "envy", "exasperation", "irritability", "rage"],
  fear: ["horror", "nervousness"],
  joy: ["cheerfulness", "contentment", "enthrallment", "optimism", "pride", "relief", "zest"],
  love: ["affection", "gratitude", "lust"],
  sadness: [
    "disappointment",
    "neglect",
    "sadness",
    "shame",
    "suffering",
    "sympathy",
  ],
  surprise: ["surprise"],
};

/** `category.txt` again: its signs. Surprise is positive there, confusion negative. */
const PRIMARY_POLARITY = polarities(["joy", "love", "surprise"], ["anger", "fear", "sadness"]);

const SECONDARY_PRIMARY: LabelMap = new Map(
  Object.entries(WEBEMO_PRIMARY).flatMap(([primary, labels]) =>
    labels.map((label): [string, string] => [label, primary])
  ),
);

const SECONDARY_POLARITY: LabelMap = new Map([
  ...[...SECONDARY_PRIMARY].map(([label, primary]): [string, string] => {
    return [label, PRIMARY_POLARITY.get(primary) ?? NEGATIVE];
  }),
  ["confusion", NEGATIVE],
]);

/**
 * Mikels' eight emotions: four positive, four negative, chosen so (Mikels et al., Emotional category data on images from
 * the International Affective Picture System, Behavior Research Methods 37, 2005).
 */
const MIKELS_POLARITY = polarities(
  ["amusement", "awe", "contentment", "excitement"],
  ["anger", "disgust", "fear", "sadness"],
);

/**
 * Emotion6's emotions are Ekman's. Surprise is of neither sign: what surprises may be welcome or not (Noordewier and
 * Breugelmans, On the valence of surprise, Cognition and Emotion 27, 2013), so it is left out. A layout's `maps` may say
 * otherwise.
 */
const EMOTION6_POLARITY = polarities(["joy"], ["anger", "disgust", "fear", "sadness"]);

/** The quadrants are those of valence and arousal: their polarity is their definition. */
const QUADRANT_POLARITY = polarities(["excitement", "calm"], ["distress", "gloom"]);

/** By label set, the coarser ones that it has, finest first. */
const COARSER: ReadonlyMap<string, ReadonlyMap<string, LabelMap>> = new Map([
  ["secondary", new Map([["primary", SECONDARY_PRIMARY], ["polarity", SECONDARY_POLARITY]])],
  ["primary", new Map([["polarity", PRIMARY_POLARITY]])],
  ["mikels", new Map([["polarity", MIKELS_POLARITY]])],
  ["emotion6", new Map([["polarity", EMOTION6_POLARITY]])],
  ["quadrant", new Map([["polarity", QUADRANT_POLARITY]])],
]);

/** Label sets that are no taxonomies: no bundle serves them, they only lead to coarser ones. */
const NO_TAXONOMIES: ReadonlySet<string> = new Set(["emotion6"]);

/**
 * What a taxonomy calls a label: its id, found by id or by the word in its prompts, in any case.
 *
 * @returns `undefined` where a known taxonomy has no such label; the label itself where the taxonomy is not known
 */
export function canonicalLabel(taxonomyId: string, label: string): string | undefined {
  const taxonomy = findTaxonomy(taxonomyId);
  if (taxonomy === undefined) return label;
  const wanted = label.toLowerCase();
  return taxonomy.labels.find(({ id, word }) => id === wanted || word === wanted)?.id;
}

/**
 * The polarity of a rating.
 *
 * @param value such as a mean valence of 1 to 7
 * @param scale positive above `threshold`, else negative; no farther than `deadZone` from it, neither
 */
export function polarityOf(
  value: number,
  { threshold, deadZone }: { readonly threshold: number; readonly deadZone: number },
): string | undefined {
  if (deadZone > 0 && Math.abs(value - threshold) <= deadZone) return undefined;
  return value > threshold ? POSITIVE : NEGATIVE;
}

/** A map that was learned from pictures with two labels each. */
export interface LearnedMap {
  /** By fine label, the coarse one that most of its pictures have. */
  readonly map: LabelMap;
  /** How many pictures were counted. */
  readonly pictures: number;
  /** How many of them have another coarse label than their fine label's. */
  readonly disagreements: number;
}

/**
 * Learns which coarse label each fine one belongs to, by majority; of a tie, the coarse label that sorts first.
 *
 * @param pairs of each picture that is listed under both, its fine and its coarse label
 */
export function learnLabelMap(
  pairs: Iterable<readonly [fine: string, coarse: string]>,
): LearnedMap {
  const counts = new Map<string, Map<string, number>>();
  let pictures = 0;
  for (const [fine, coarse] of pairs) {
    const votes = counts.get(fine) ?? new Map<string, number>();
    votes.set(coarse, (votes.get(coarse) ?? 0) + 1);
    counts.set(fine, votes);
    pictures++;
  }
  const map = new Map<string, string>();
  let agreements = 0;
  for (const [fine, votes] of counts) {
    const [[coarse, count]] = [...votes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    map.set(fine, coarse);
    agreements += count;
  }
  return { map, pictures, disagreements: pictures - agreements };
}

/**
 * Reads a hierarchy as WEBEmo's `category.txt` has it: tuples `('affection', 'love', '+')` with whatever between them.
 *
 * @returns by label; empty where there is no tuple
 */
export function parseHierarchy(text: string): Map<string, HierarchyEntry> {
  const tuples = text.matchAll(/\(\s*'([^']+)'\s*,\s*'([^']+)'\s*,\s*'([+-])'\s*\)/g);
  return new Map([...tuples].map(([, label, primary, sign]) => [
    label,
    { primary, polarity: sign === "+" ? POSITIVE : NEGATIVE },
  ]));
}

/**
 * What a data set's labels are called in every taxonomy that is known of.
 *
 * @param labels the data set's
 * @param labelSet what they are of: a taxonomy's id, `emotion6`, a name of their own, or nothing known
 * @param own what the data set itself says, which comes first
 * @returns finest first
 */
export function taxonomiesOf(
  labels: readonly string[],
  labelSet: string | undefined,
  own: OwnMaps = new Map(),
): Map<string, LabelMap> {
  const coarser = COARSER.get(labelSet ?? "");
  const isTaxonomy = labelSet !== undefined && !NO_TAXONOMIES.has(labelSet);
  const ids = new Set([...(isTaxonomy ? [labelSet] : []), ...coarser?.keys() ?? [], ...own.keys()]);
  const taxonomies = [...ids].map((id): [string, LabelMap] => {
    const map = new Map<string, string>();
    for (const label of labels) {
      const canonical = labelSet === undefined ? label : canonicalLabel(labelSet, label);
      const published = id === labelSet
        ? canonical
        : canonical && coarser?.get(id)?.get(canonical.toLowerCase());
      const said = own.get(id)?.get(label);
      const target = said === undefined ? published : said;
      if (target) map.set(label, target);
    }
    return [id, map];
  });
  // A label set of the user's own is the finest: it is what the pictures are labelled with.
  const sizeOf = ([id]: [string, LabelMap]) => findTaxonomy(id)?.labels.length ?? Infinity;
  const finestFirst = taxonomies.sort((a, b) => sizeOf(a) < sizeOf(b) ? 1 : -1);
  return new Map(finestFirst.filter(([, map]) => map.size > 0));
}
