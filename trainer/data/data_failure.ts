/**
 * The one wording of what cannot be read, for files and folders of a data set.
 */

import { TrainerError } from "../errors.ts";

/**
 * Makes the error.
 *
 * @param path as the user wrote it
 * @param why and the mend, in a sentence or two without the last full stop
 * @param cause what was thrown, if anything
 */
export function dataFailure(path: string, why: string, cause?: unknown): TrainerError {
  return new TrainerError(`Cannot read ${path}: ${why}`, { cause });
}

/** What a thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Names in quotation marks, the first few of them.
 *
 * @param names at least one
 * @param limit how many are written out
 */
export function quoteSome(names: readonly string[], limit = 6): string {
  const shown = names.slice(0, limit).map((name) => `"${name}"`).join(", ");
  return names.length > limit ? `${shown} and ${names.length - limit} more` : shown;
}
