/**
 * How the trainer's commands end that cannot go on: a sentence, never a stack trace, for everything that people can mend.
 */

import { ClipEError } from "@clip-e/shared";
import { UsageError } from "@clip-e/shared/command-line";
import { TrainerError } from "./errors.ts";

/**
 * Says why and ends the program: status 2 for a wrong command line, 1 for everything else.
 *
 * @param error anything that was thrown; one that nobody raised on purpose is printed whole
 */
export function fail(error: unknown): never {
  if (error instanceof UsageError) {
    console.error(`error: ${error.message}. --help shows what there is.`);
    Deno.exit(2);
  }
  const isExpected = error instanceof TrainerError || error instanceof ClipEError;
  console.error(isExpected ? `error: ${error.message}` : error);
  Deno.exit(1);
}
