/**
 * The error of a backend that is not to be trusted with another run, such as one whose device was lost: another backend has
 * to take its place. An error of any other class is the run's own, and the next run may do better.
 */

/** A backend has failed for good. */
export class BackendLost extends Error {
  /** The class's name, as error reports print it. */
  override readonly name = "BackendLost";
}
