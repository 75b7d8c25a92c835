/**
 * SHA-256 by the platform's own Web Crypto.
 */

/**
 * The SHA-256 of some bytes.
 *
 * @param bytes any
 * @returns 64 lower-case hexadecimal digits
 */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
