/**
 * What is to stay in 32-bit floats, by name.
 */

/** See {@linkcode keeper}. */
export interface Keeper {
  /** Whether something is to stay, by any of its names. */
  has(names: readonly string[]): boolean;
  /** Patterns that nothing has fitted yet. */
  unused(): string[];
}

/**
 * Reads patterns.
 *
 * @param patterns whole names, in which `*` stands for any characters
 */
export function keeper(patterns: readonly string[]): Keeper {
  const unused = new Set(patterns);
  const compiled = patterns.map((pattern) => [pattern, namePattern(pattern)] as const);
  return {
    has(names) {
      const fitting = compiled.filter(([, fits]) => names.some(fits));
      for (const [pattern] of fitting) unused.delete(pattern);
      return fitting.length > 0;
    },
    unused: () => [...unused],
  };
}

/** Says whether a name fits a pattern. */
function namePattern(pattern: string): (name: string) => boolean {
  const literal = pattern.split("*").map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&"));
  const whole = new RegExp(`^${literal.join(".*")}$`, "s");
  return (name) => whole.test(name);
}
