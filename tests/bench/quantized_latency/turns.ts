/**
 * Runs that take turns, so that what else the machine does falls on all alike, and what their times say. Read the ratios:
 * they hold from one machine to the next of its kind, milliseconds do not.
 */

/** One run of each, by name, in milliseconds. */
export type Times = ReadonlyMap<string, readonly number[]>;

/** How a quantised encoder compares with the float one. */
export interface Comparison {
  /** Median, in milliseconds. */
  readonly float: number;
  /** Median, in milliseconds. */
  readonly quantised: number;
  /** Of the medians: below 1, where quantising made it faster. */
  readonly ratio: number;
  /** Between which the ratios of the middle half of all rounds lie. */
  readonly middleHalf: readonly [low: number, high: number];
}

/** Rounds that are not counted: code is compiled and pages are mapped meanwhile. */
const WARM_UP = 3;

/**
 * Measures.
 *
 * @param runs by name; every other round goes through them backwards
 * @param rounds that count
 */
export async function takeTurns(
  runs: ReadonlyMap<string, () => Promise<unknown>>,
  rounds: number,
): Promise<Times> {
  const entries = [...runs].map(([name, run]) => ({ name, run, times: new Array<number>() }));
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const { run, times } of round % 2 === 0 ? entries : entries.toReversed()) {
      const start = performance.now();
      await run();
      if (round >= 0) times.push(performance.now() - start);
    }
  }
  return new Map(entries.map(({ name, times }) => [name, times]));
}

/** Compares times of the same rounds. */
export function compare(float: readonly number[], quantised: readonly number[]): Comparison {
  const ratios = quantised.map((ms, round) => ms / float[round]);
  const [before, after] = [median(float), median(quantised)];
  return {
    float: before,
    quantised: after,
    ratio: after / before,
    middleHalf: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

/** The middle one. */
export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

function quantile(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)];
}
