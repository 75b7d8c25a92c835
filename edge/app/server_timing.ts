/**
 * The `Server-Timing` header (W3C Server Timing): times stay out of bodies, which may then be cached.
 */

/**
 * Adds up the times of several pictures.
 *
 * @param all milliseconds by name
 * @returns the header's value, or `undefined` where the clock stands still while code runs, as in deployed Workers
 */
export function serverTiming(all: readonly Readonly<Record<string, number>>[]): string | undefined {
  const sums = new Map<string, number>();
  for (const timings of all) {
    for (const [name, ms] of Object.entries(timings)) sums.set(name, (sums.get(name) ?? 0) + ms);
  }
  const entries = [...sums].filter(([, ms]) => ms > 0);
  if (entries.length === 0) return undefined;
  return entries.map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`).join(", ");
}
