/**
 * Which methods a bundle serves for a taxonomy, and in which order: by what they came to on validation, never by assumption.
 * The first is what answers by default. Test pictures have no say, or their figures would flatter what is served.
 */

import type { Head } from "@clip-e/shared";

/** The ways to answer, as a bundle calls them. */
type Method = Head["kind"] | "zero-shot";

/** A method that could be served. */
export interface Candidate {
  /** The method's row in tables. */
  readonly row: string;
  /** What a bundle calls it. */
  readonly method: Method;
  /** Whether it is another form of the published method, such as one with a blend. */
  readonly isVariant?: boolean;
  /** The share of validation pictures that it has right; absent where it was not measured. */
  readonly validationAccuracy?: number;
}

/** From the simplest: nothing is trained for zero-shot, and a contrastive head needs prompts as well. */
const SIMPLEST_FIRST: readonly Method[] = ["zero-shot", "cross-entropy", "contrastive"];

/**
 * Orders methods for serving. A bundle has one entry by each method's name: a variant takes the plain form's place only where
 * it is strictly better on validation, and the better of two variants goes before the other. Then the highest validation
 * accuracy comes first; of equals the simpler, from zero-shot over cross-entropy to contrastive. One that was not measured
 * comes after all that were.
 *
 * @param candidates of one taxonomy, all measured on the same pictures; of equals the first that is named wins
 * @returns the best form of each method, best first
 */
export function chooseMethods<C extends Candidate>(candidates: readonly C[]): C[] {
  const forms = SIMPLEST_FIRST.flatMap((method) => {
    const own = candidates.filter((candidate) => candidate.method === method);
    const plainFirst = [...own.filter((c) => !c.isVariant), ...own.filter((c) => c.isVariant)];
    return byAccuracy(plainFirst).slice(0, 1);
  });
  return byAccuracy(forms);
}

/** The highest first; equals stay in their order. */
function byAccuracy<C extends Candidate>(candidates: readonly C[]): C[] {
  const accuracy = ({ validationAccuracy = -1 }: C) => Math.round(validationAccuracy * 1e9);
  return candidates.toSorted((a, b) => accuracy(b) - accuracy(a));
}
