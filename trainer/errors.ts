/**
 * The error of everything that a person can mend: a wrong option, a wrong table, a file that is not
 * there. The command line prints its message alone; any other error is a fault of the program and
 * keeps its stack trace.
 */

/**
 * A mistake in what the trainer was given. Its message says what was attempted, why it failed and
 * how to mend it.
 */
export class TrainerError extends Error {
  /** Tells this error from others where `instanceof` cannot, as across workers. */
  override readonly name = "TrainerError";
}
