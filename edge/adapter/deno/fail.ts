/**
 * How commands end that cannot go on: a sentence, never a stack trace, for everything that people can mend.
 */

import { ClipEError } from "@clip-e/shared";
import { UsageError } from "@clip-e/shared/command-line";

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
  if (error instanceof ClipEError) console.error(`error: ${error.message}`);
  else if (error instanceof Deno.errors.NotCapable) {
    console.error(`error: ${error.message}. The task in deno.json says what it may do.`);
  } else if (error instanceof Deno.errors.PermissionDenied) {
    console.error(`error: ${error.message}`);
  } else if (error instanceof Deno.errors.AddrNotAvailable) {
    console.error("error: this machine has no such address: choose another with --host");
  } else if (error instanceof Deno.errors.AddrInUse) {
    console.error("error: the port is in use: choose another with --port");
  } else console.error(error);
  Deno.exit(1);
}
