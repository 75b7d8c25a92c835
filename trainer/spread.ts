/**
 * A part of many things that stands for all.
 */

/**
 * Takes some of many, from all over.
 *
 * @param all in order
 * @param count how many at most
 */
export function spread<T>(all: readonly T[], count: number): T[] {
  const length = Math.min(count, all.length);
  return Array.from({ length }, (_, i) => all[Math.floor((i + 0.5) * all.length / length)]);
}
