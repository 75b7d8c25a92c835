/**
 * `Retry-After` (RFC 9110, 10.2.3): when a server that is busy wants to be asked again.
 */

/**
 * Reads the header.
 *
 * @param response which may have it
 * @returns milliseconds from now; `undefined` where it is absent or says nothing that can be read
 */
export function readRetryAfter({ headers }: Response): number | undefined {
  const text = headers.get("Retry-After")?.trim();
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
