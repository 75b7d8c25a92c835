/**
 * The errors that pictures give rise to.
 */

import { ClipEError } from "@clip-e/shared";

/**
 * The error for a picture type that is not served.
 *
 * @param type its name, with an article where one is needed
 */
export function unsupportedType(type: string): ClipEError {
  return new ClipEError(
    "unsupported-type",
    `The picture is ${type}, which is not supported: send JPEG, PNG or WebP`,
  );
}

/**
 * The error for a picture that ends too early.
 *
 * @param type its name
 */
export function truncated(type: string): ClipEError {
  return new ClipEError("truncated", `The ${type} ends before its data does: it was cut off`);
}

/**
 * The error for a picture that cannot be decoded.
 *
 * @param type its name
 * @param why a clause
 * @param cause what the decoder threw
 */
export function undecodable(type: string, why: string, cause?: unknown): ClipEError {
  return new ClipEError("undecodable", `The ${type} cannot be decoded: ${why}`, { cause });
}
