/**
 * Random numbers from a seed, so that a test's cases are the same on every machine and a failing one comes again.
 */

/** Draws numbers, one after another. */
export interface Random {
  /** A number from 0 to 1, without 1. */
  fraction(): number;
  /** A whole number, both ends included. */
  integer(from: number, to: number): number;
  /** One of some values. */
  pick<T>(values: readonly T[]): T;
  /** Bytes, all values alike. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** 32-bit floats from -1 to 1. */
  floats(length: number): Float32Array<ArrayBuffer>;
}

/**
 * Starts a sequence: a counter with a large odd step, each value scrambled by multiplications and shifts.
 *
 * @param seed the same gives the same numbers
 */
export function seededRandom(seed: number): Random {
  let counter = seed | 0;
  const fraction = () => {
    counter = (counter + 0x9e3779b9) | 0;
    let x = Math.imul(counter ^ (counter >>> 16), 0x45d9f3b);
    x = Math.imul(x ^ (x >>> 15), 0x119de1f3);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  };
  const integer = (from: number, to: number) => from + Math.floor(fraction() * (to - from + 1));
  return {
    fraction,
    integer,
    pick: (values) => values[integer(0, values.length - 1)],
    bytes: (length) => Uint8Array.from({ length }, () => integer(0, 255)),
    floats: (length) => Float32Array.from({ length }, () => fraction() * 2 - 1),
  };
}
