/**
 * From a fine taxonomy to a coarse one: which coarse label each fine label belongs to.
 */

/** By fine label, the coarse label that it belongs to; one that is not there belongs to none. */
export type LabelParents = ReadonlyMap<string, string>;

/**
 * Reads off two label maps of the same data set how its fine taxonomy lies in its coarse one.
 *
 * @param fine by the data set's own label, the fine one
 * @param coarse by the data set's own label, the coarse one; one that is not there has none
 * @returns by fine label
 * @throws {RangeError} when pictures of one fine label have different coarse ones
 */
export function labelParents(fine: LabelParents, coarse: LabelParents): Map<string, string> {
  const parents = new Map<string, string | undefined>();
  for (const [own, label] of fine) {
    const parent = coarse.get(own);
    if (parents.has(label) && parents.get(label) !== parent) {
      throw new RangeError(
        `Cannot group ${label}: it belongs to ${parents.get(label) ?? "none"} and to ${
          parent ?? "none"
        }`,
      );
    }
    parents.set(label, parent);
  }
  const isParent = (entry: [string, string | undefined]): entry is [string, string] =>
    entry[1] !== undefined;
  return new Map([...parents].filter(isParent));
}

/**
 * The groups of a cross-entropy head that was trained on fine labels and answers with coarse ones.
 *
 * @param fine ids, in order, K
 * @param coarse ids, in order
 * @param parents by fine label
 * @returns `[K]`: of each fine label its parent's place in `coarse`, or -1 where it has none
 * @throws {RangeError} when a parent is no coarse label, or a coarse label has no fine one
 */
export function labelGroups(
  fine: readonly string[],
  coarse: readonly string[],
  parents: LabelParents,
): Int32Array {
  const groups = Int32Array.from(fine, (label) => {
    const parent = parents.get(label);
    if (parent === undefined) return -1;
    const group = coarse.indexOf(parent);
    if (group >= 0) return group;
    throw new RangeError(`Cannot group ${label}: ${parent} is none of ${coarse.join(", ")}`);
  });
  const empty = coarse.find((_, group) => !groups.includes(group));
  if (empty !== undefined) throw new RangeError(`Cannot group labels: none belongs to ${empty}`);
  return groups;
}
