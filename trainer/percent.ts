/**
 * Shares for people.
 */

/**
 * Writes a share as a percentage.
 *
 * @param share in 0..1
 */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
