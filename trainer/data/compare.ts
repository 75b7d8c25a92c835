/**
 * The one order of names in data sets: by code unit, so that it is the same on every machine and in every language.
 */

/**
 * Compares two names, for `sort`.
 *
 * @returns less than, equal to or greater than 0
 */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
