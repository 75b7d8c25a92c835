/**
 * One trainee, fitted in one round: a committee whose members each leave out another part of the pictures, which stops
 * their training; or, where the round holds pictures back, a single head. What a member says of the pictures that it was
 * not fitted to chooses and calibrates the average.
 */

import type { Head } from "@clip-e/shared";
import { averageHeads } from "../fit/average_heads.ts";
import type { Example } from "../data/dataset.ts";
import type { FittedHead } from "../fit/fit.ts";
import type { Random } from "../random.ts";
import { foldsByGroup } from "./split.ts";
import { divide, type Round, without } from "./protocol.ts";

/** What a member is fitted to. */
export interface MemberPlan {
  /** From 0. */
  readonly member: number;
  /** How many there are. */
  readonly members: number;
  /** To learn from; places in the examples. */
  readonly train: readonly number[];
  /** To stop by. */
  readonly validation: readonly number[];
}

/** A member of a committee. */
export interface Member extends FittedHead {
  /** Pictures that it was not fitted to. */
  readonly validation: readonly number[];
}

/** A fitted trainee. */
export interface Committee {
  /** The members' average, which serves. */
  readonly head: Head;
  /** Their validation parts do not overlap. */
  readonly members: readonly Member[];
}

/**
 * Fits a committee.
 *
 * @param examples all
 * @param round whose pictures
 * @param members how many, where the round holds nothing back
 * @param random divides the pictures
 * @param fit fits one
 * @throws {TrainerError} when there are fewer groups than members
 */
export async function fitCommittee(
  examples: readonly Example[],
  { train, validation }: Round,
  members: number,
  random: Random,
  fit: (plan: MemberPlan) => Promise<FittedHead>,
): Promise<Committee> {
  const parts = validation
    ? [validation]
    : divide(examples, train, (some) => foldsByGroup(some, members, random));
  const fitted: Member[] = [];
  for (const [member, part] of parts.entries()) {
    const rest = validation ? train : without(train, part);
    const plan = { member, members: parts.length, train: rest, validation: part };
    fitted.push({ ...await fit(plan), validation: part });
  }
  return { head: averageHeads(fitted.map(({ head }) => head)), members: fitted };
}
