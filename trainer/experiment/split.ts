/**
 * Which pictures to train on and which to measure on. Pictures of one group (a theme, a photographer,
 * a burst) look alike: were some trained on and others measured on, the figure would flatter. So a
 * group is never divided.
 */

import type { Random } from "../random.ts";

/** What a split looks at. */
export interface GroupedExample {
  /** Examples of one group stay together. */
  readonly group: string;
  /** Parts are to have the labels in like shares. */
  readonly label: string;
}

/**
 * Splits examples into parts of given sizes, groups kept whole. Sizes and shares of labels come out as
 * near as a greedy assignment, large groups first, can bring them.
 *
 * @param examples in any order
 * @param fractions what each part is to have of all examples; they sum to 1
 * @param random decides among equals; the same seed gives the same parts
 * @returns per part, ascending indices into `examples`; no part is empty
 * @throws {RangeError} when a fraction is not above 0, they do not sum to 1, or there are fewer groups
 * than parts
 */
export function splitGroups(
  examples: readonly GroupedExample[],
  fractions: readonly number[],
  random: Random,
): number[][] {
  const sum = fractions.reduce((a, b) => a + b, 0);
  if (fractions.some((f) => !(f > 0)) || Math.abs(sum - 1) > 1e-9) {
    throw new RangeError(
      `Cannot split by ${fractions.join(", ")}: fractions must be above 0 and sum to 1`,
    );
  }
  return assignGroups(examples, fractions, random);
}

/**
 * Splits examples into the test parts of a cross-validation, groups kept whole.
 *
 * @param examples in any order
 * @param k how many folds, 2 or more
 * @param random decides among equals; the same seed gives the same folds
 * @returns per fold, ascending indices into `examples`; each example is in one fold
 * @throws {RangeError} when `k` is not a whole number from 2, or there are fewer groups than folds
 */
export function foldsByGroup(
  examples: readonly GroupedExample[],
  k: number,
  random: Random,
): number[][] {
  if (!Number.isInteger(k) || k < 2) {
    throw new RangeError(`Cannot make ${k} folds: there must be a whole number of them, 2 or more`);
  }
  return assignGroups(examples, new Array<number>(k).fill(1 / k), random);
}

/** A part while it fills. */
interface Part {
  readonly fraction: number;
  readonly members: number[];
  /** Members of each label. */
  readonly counts: number[];
}

function assignGroups(
  examples: readonly GroupedExample[],
  fractions: readonly number[],
  random: Random,
): number[][] {
  const groups = [...Map.groupBy(examples.keys(), (i) => examples[i].group).values()];
  if (groups.length < fractions.length) {
    const are = groups.length === 1 ? "is 1 group" : `are ${groups.length} groups`;
    throw new RangeError(
      `Cannot make ${fractions.length} parts: there ${are}, and a group is never divided`,
    );
  }
  const labels = [...new Set(examples.map(({ label }) => label))];
  const labelOf = new Map(labels.map((label, l) => [label, l]));
  const targets = examples.map(({ label }) => labelOf.get(label) ?? 0);
  const totals = countLabels(targets, examples.keys(), labels.length);

  const parts = fractions.map((fraction): Part => ({
    fraction,
    members: [],
    counts: totals.map(() => 0),
  }));
  let empty = parts.length;
  let left = groups.length;
  for (const group of largeFirst(random.shuffled(groups))) {
    const counts = countLabels(targets, group, labels.length);
    // The last groups are kept for parts that have none yet.
    const open = left-- > empty ? parts : parts.filter(({ members }) => members.length === 0);
    const part = leastBy(open, (candidate) => excess(candidate, group.length, counts));
    if (part.members.length === 0) empty--;
    part.members.push(...group);
    counts.forEach((count, l) => part.counts[l] += count);
  }
  return parts.map(({ members }) => members.sort((a, b) => a - b));

  /**
   * How much the squared distance of a part's counts to the wanted ones grows with a group, each count in
   * units of the wanted one: of examples, and of each label.
   */
  function excess({ fraction, members, counts }: Part, size: number, more: number[]): number {
    const growth = (total: number, have: number, added: number) => {
      const wanted = fraction * total;
      return added * (2 * (have - wanted) + added) / wanted;
    };
    let sum = growth(examples.length, members.length, size);
    for (const [l, added] of more.entries()) {
      if (added > 0) sum += growth(totals[l], counts[l], added);
    }
    return sum;
  }
}

function countLabels(targets: readonly number[], members: Iterable<number>, labels: number) {
  const counts = new Array<number>(labels).fill(0);
  for (const i of members) counts[targets[i]]++;
  return counts;
}

/** Sorts by size to the power of two below, so that groups of nearly one size stay in random order. */
function largeFirst(groups: number[][]): number[][] {
  const magnitude = (group: number[]) => Math.floor(Math.log2(group.length));
  return groups.sort((a, b) => magnitude(b) - magnitude(a));
}

function leastBy<T>(items: readonly T[], cost: (item: T) => number): T {
  let [best] = items;
  let least = cost(best);
  for (const item of items.slice(1)) {
    const c = cost(item);
    if (c < least) [best, least] = [item, c];
  }
  return best;
}
