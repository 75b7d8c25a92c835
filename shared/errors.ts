/**
 * The one error that the project's rooms raise on purpose. Its code is stable and for programs, its message is a sentence
 * for people: what was attempted, why it failed and, where there is one, the mend.
 */

/** Every code, with what it means. HTTP statuses are given to them in the edge's `problem.ts`. */
export const ERROR_CODES = {
  "no-picture": "The request carries no picture",
  "malformed-multipart": "The multipart body cannot be read",
  "malformed-json": "The body is not the JSON that is asked for",
  "invalid-embedding": "The embedding is not one of the bundle's space",
  "too-many-pictures": "More pictures than one request may carry",
  "invalid-parameter": "A query parameter has a value that it cannot have",
  "unauthorized": "The request carries no token, or one that is not accepted",
  "rate-limited": "Too many requests of this caller",
  "not-found": "There is nothing at this path",
  "method-not-allowed": "The path does not answer this HTTP method",
  "unsatisfiable-range": "The file ends before the range that is asked for begins",
  "upload-timeout": "The upload took too long",
  "too-many-bytes": "The upload is larger than allowed",
  "unsupported-type": "The picture is of a type that is not supported",
  "undecodable": "The picture cannot be decoded",
  "truncated": "The picture ends before its data does",
  "unsupported-colour": "The picture's colours are of a kind that is not supported",
  "too-many-pixels": "The picture has more pixels than allowed",
  "unknown-taxonomy": "The bundle does not serve this taxonomy",
  "labels-not-served": "The bundle carries no text encoder for labels of the caller's own",
  "unknown-method": "The bundle does not know this method for the taxonomy",
  "method-unavailable": "The method exists, but what it needs is missing or failed its check",
  "queue-full": "Too many pictures are waiting",
  "invalid-bundle": "The bundle cannot be used",
  "internal": "Something failed that should not have",
} as const;

/** A stable, machine-readable name of what went wrong. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code. */
export class ClipEError extends Error {
  /** The class's name, as error reports print it. */
  override readonly name = "ClipEError";
  /** What went wrong, for programs. */
  readonly code: ErrorCode;

  /**
   * Makes the error.
   *
   * @param code what went wrong, for programs
   * @param message what went wrong, for people
   * @param options the cause, if any
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
