/**
 * Whether a method's answers at several granularities go together: a picture whose best emotion of six is joy, and whose best
 * of 25 is rage, has been answered twice and not once. Says nothing of which of the two is right.
 */

import { topLabel } from "../fit/calibration.ts";
import { type LabelParents, labelParents } from "./label_groups.ts";

/** A method's scores for one taxonomy. */
export interface TaxonomyScores {
  /** The taxonomy's id. */
  readonly taxonomy: string;
  /** Its labels' ids, in order, K. */
  readonly labels: readonly string[];
  /** Per picture, `[K]`, scores or logits. */
  readonly scores: readonly ArrayLike<number>[];
}

/** How often the best coarse label is the parent of the best fine one. */
export interface Agreement {
  /** The finer taxonomy's id. */
  readonly fine: string;
  /** The coarser one's. */
  readonly coarse: string;
  /** Pictures whose best fine label has a parent. */
  readonly count: number;
  /** Those of them whose best coarse label it is. */
  readonly agreeing: number;
  /** `agreeing / count`; 0 without pictures. */
  readonly share: number;
}

/**
 * Measures the agreement of two taxonomies' answers.
 *
 * @param fine scores for the finer taxonomy
 * @param coarse scores for the coarser one, of the same pictures
 * @param parents by fine label, its coarse one; pictures whose best fine label has none are not counted
 * @throws {RangeError} when the pictures differ in number
 */
export function measureAgreement(
  fine: TaxonomyScores,
  coarse: TaxonomyScores,
  parents: LabelParents,
): Agreement {
  if (fine.scores.length !== coarse.scores.length) {
    throw new RangeError(
      `Cannot compare ${fine.scores.length} answers for ${fine.taxonomy} with ` +
        `${coarse.scores.length} for ${coarse.taxonomy}`,
    );
  }
  let [count, agreeing] = [0, 0];
  for (const [i, score] of fine.scores.entries()) {
    const parent = parents.get(fine.labels[topLabel(score)]);
    if (parent === undefined) continue;
    count++;
    if (coarse.labels[topLabel(coarse.scores[i])] === parent) agreeing++;
  }
  return {
    fine: fine.taxonomy,
    coarse: coarse.taxonomy,
    count,
    agreeing,
    share: agreeing / Math.max(1, count),
  };
}

/**
 * Measures the agreement of each taxonomy's answers with those of every coarser one.
 *
 * @param taxonomies finest first, all of the same pictures
 * @param labelMaps by taxonomy, from the data set's own labels to the taxonomy's
 * @throws {RangeError} when a taxonomy has no map, or one fine label has several coarse ones
 */
export function measureAgreements(
  taxonomies: readonly TaxonomyScores[],
  labelMaps: ReadonlyMap<string, LabelParents>,
): Agreement[] {
  const mapOf = ({ taxonomy }: TaxonomyScores) => {
    const map = labelMaps.get(taxonomy);
    if (!map) throw new RangeError(`Cannot compare answers: ${taxonomy} has no label map`);
    return map;
  };
  return taxonomies.flatMap((fine, i) =>
    taxonomies.slice(i + 1).map((coarse) =>
      measureAgreement(fine, coarse, labelParents(mapOf(fine), mapOf(coarse)))
    )
  );
}
