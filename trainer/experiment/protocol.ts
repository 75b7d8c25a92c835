/**
 * Which pictures heads learn from, which stop and calibrate them, and which measure them. No picture that a head was fitted
 * to, or chosen by, ever measures it.
 */

import type { Example, Split } from "../data/dataset.ts";
import { TrainerError } from "../errors.ts";
import type { Random } from "../random.ts";
import { foldsByGroup, splitGroups } from "./split.ts";

/** One round: a head is fitted to `train`, stopped by `validation` and measured on `test`. Places in the examples. */
export interface Round {
  /** To learn from. */
  readonly train: readonly number[];
  /** Held back for stopping, choosing and calibrating; absent where members of a committee take turns to. */
  readonly validation?: readonly number[];
  /** To measure on; none for heads that are only served. */
  readonly test: readonly number[];
}

/** How an experiment measures. */
export interface Protocol {
  /** Each with a test part of its own; together these are what figures are of. */
  readonly measured: readonly Round[];
  /** Whose heads are served; one of `measured`, unless that is a cross-validation. */
  readonly served: Round;
  /** In words: `5-fold cross-validation`. */
  readonly words: string;
}

/** What the user asked for. */
export interface ProtocolOptions {
  /** Cross-validation over so many folds; heads to be served are then fitted to all pictures. */
  readonly folds?: number | undefined;
  /** Without folds, the share to measure on, where the data set has no test part of its own. */
  readonly test: number;
  /** The share of what is not measured on that is held back, where the data set has no validation part; 0 for none. */
  readonly validation: number;
}

/**
 * Chooses the rounds: the data set's own parts where it has them, unless folds are asked for.
 *
 * @param examples with their labels, groups and parts
 * @param options what was asked for
 * @param random decides among equals
 * @throws {TrainerError} when there are too few groups or parts
 */
export function chooseProtocol(
  examples: readonly Example[],
  options: ProtocolOptions,
  random: Random,
): Protocol {
  const all = examples.map((_, i) => i);
  const { folds, test: share } = options;
  if (folds !== undefined) {
    const parts = divide(examples, all, (some) => foldsByGroup(some, folds, random));
    const round = (test: readonly number[]): Round =>
      holdBack(examples, { train: without(all, test), test }, options, random);
    const served = holdBack(examples, { train: all, test: [] }, options, random);
    return { measured: parts.map(round), served, words: `${folds}-fold cross-validation` };
  }
  const own = (split: Split) => all.filter((i) => examples[i].split === split);
  const test = own("test");
  if (test.length > 0) {
    const validation = own("validation");
    const train = all.filter((i) => !["test", "validation"].includes(examples[i].split ?? ""));
    if (train.length === 0) {
      throw new TrainerError("Cannot train: the data set has test pictures alone");
    }
    const served = validation.length > 0
      ? { train, validation, test }
      : holdBack(examples, { train, test }, options, random);
    return { measured: [served], served, words: `its test split, ${count(test)}` };
  }
  const shares = [1 - share, share];
  const [rest, drawn] = divide(examples, all, (some) => splitGroups(some, shares, random));
  const served = holdBack(examples, { train: rest, test: drawn }, options, random);
  return { measured: [served], served, words: `a test split of ${count(drawn)}` };
}

/** Takes a validation part off the training part, where one is wanted. */
function holdBack(
  examples: readonly Example[],
  { train, test }: Round,
  { validation: share }: ProtocolOptions,
  random: Random,
): Round {
  if (share === 0) return { train, test };
  const shares = [1 - share, share];
  const [kept, validation] = divide(examples, train, (some) => splitGroups(some, shares, random));
  return { train: kept, validation, test };
}

/**
 * Divides some of the examples; says in the user's words what cannot be divided.
 *
 * @param examples all
 * @param some places of those to be divided
 * @param into divides them
 * @returns per part, places in `examples`
 * @throws {TrainerError} when there are fewer groups than parts
 */
export function divide(
  examples: readonly Example[],
  some: readonly number[],
  into: (some: readonly Example[]) => number[][],
): number[][] {
  try {
    return into(some.map((i) => examples[i])).map((part) => part.map((i) => some[i]));
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TrainerError(`Cannot split the pictures: ${cause.message}`, { cause });
  }
}

/** Those that are not in a part. */
export function without(some: readonly number[], part: readonly number[]): number[] {
  const left = new Set(part);
  return some.filter((i) => !left.has(i));
}

function count(some: readonly number[]): string {
  return `${some.length.toLocaleString("en")} pictures`;
}
