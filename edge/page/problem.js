// @ts-check
/**
 * What can go wrong with a picture, in words for people.
 *
 * @module
 */

/** An error whose message is a sentence for people. */
export class Problem extends Error {
  /**
   * @param {string} detail
   * @param {{
   *   status?: number,
   *   code?: string | undefined,
   *   retryAfter?: number | undefined,
   *   mayPass?: boolean,
   * }} [facts] the HTTP status, the stable code, in how many seconds the server wants to be asked
   *   again, and whether the same question may get an answer another time
   */
  constructor(detail, { status = 0, code, retryAfter, mayPass = isPassing(status) } = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.mayPass = mayPass;
  }
}

/**
 * Per RFC 9110, section 15.5: the same request again cannot mend the other client errors.
 *
 * @param {number} status
 */
function isPassing(status) {
  return status < 400 || status === 408 || status === 429 || status >= 500;
}

/**
 * What an answer says that is no answer, by RFC 9457 where the server speaks it.
 *
 * @param {Response} response
 * @param {{ title?: string, detail?: string, code?: string }} body
 */
export function problemOf({ status, headers }, { title, detail, code }) {
  return new Problem(
    detail ?? title ?? `The server answered ${status} in a form that this page cannot read.`,
    { status, code, retryAfter: secondsUntil(headers.get("Retry-After")) },
  );
}

/**
 * Retry-After, per RFC 9110, section 10.2.3: seconds, or a date.
 *
 * @param {string | null} value
 * @returns {number | undefined} in seconds, within a day
 */
function secondsUntil(value) {
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(86_400, Math.max(0, Math.ceil(seconds)));
}
