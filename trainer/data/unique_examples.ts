/**
 * What a table lists, once each: a picture that is listed again with the same words counts once, one that is listed with
 * others is a contradiction, which nobody but the user can settle.
 */

/** What a line says, for messages. */
export interface Listing {
  /** The picture, as the line has it. */
  readonly name: string;
  /** Such as `line 3` or `line 3 of test.txt`. */
  readonly where: string;
  /** By the word for it: `label`, `split`, the group's column. */
  readonly said: Readonly<Record<string, string | undefined>>;
}

/** Pictures listed once, and what became of the others. */
export interface UniquePictures<P> {
  /** The first line of each, by key, in order. */
  readonly pictures: ReadonlyMap<string, P>;
  /** How many lines said nothing new. */
  readonly repeated: number;
  /** How many pictures were left out, because their lines contradict each other. */
  readonly contradicted: number;
}

/**
 * Keeps the first line of each picture.
 *
 * @param listed in order
 * @param keyOf what makes a picture the same
 * @param describe what a line says; asked only of pictures that are listed again
 * @param onContradiction told in a sentence of two lines that contradict each other: it throws, or the picture is left out
 */
export function uniquePictures<P>(
  listed: Iterable<P>,
  keyOf: (picture: P) => string,
  describe: (picture: P) => Listing,
  onContradiction: (why: string) => void,
): UniquePictures<P> {
  const pictures = new Map<string, P>();
  const contradictory = new Set<string>();
  let repeated = 0;
  for (const picture of listed) {
    const key = keyOf(picture);
    const first = pictures.get(key);
    if (first === undefined) {
      pictures.set(key, picture);
      continue;
    }
    const [before, now] = [describe(first), describe(picture)];
    const word = Object.keys(now.said).find((word) => before.said[word] !== now.said[word]);
    if (word === undefined) {
      repeated++;
      continue;
    }
    onContradiction(
      `${now.name} has the ${word} "${before.said[word] ?? ""}" on ${before.where} and ` +
        `"${now.said[word] ?? ""}" on ${now.where}. Keep one of the two lines`,
    );
    contradictory.add(key);
  }
  for (const key of contradictory) pictures.delete(key);
  return { pictures, repeated, contradicted: contradictory.size };
}
