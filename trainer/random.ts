/**
 * Chance that can be repeated: every shuffle, split and first weight of a training run is drawn from one
 * seed, which `Math.random` does not take.
 */

const UINT32 = 2 ** 32;

/**
 * A pseudo-random generator with its own state: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of it.
 * Good for simulation, not for secrets.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  #spare: number | undefined;

  /**
   * Starts the generator.
   *
   * @param seed a whole number; another gives another sequence
   * @throws {RangeError} when the seed is not a safe integer
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`Cannot seed the random generator with ${seed}: give a whole number`);
    }
    this.#a = seed | 0;
    this.#b = Math.floor(seed / UINT32) | 0;
    this.#c = 0;
    // Neighbouring seeds start alike: the author's own seeding discards 12 to 15 numbers.
    for (let i = 0; i < 15; i++) this.next();
  }

  /**
   * A generator that goes on where another was.
   *
   * @param state as that one's {@linkcode Random.state} gave it
   */
  static restore([a, b, c, counter, ...spare]: readonly number[]): Random {
    const random = new Random(0);
    random.#a = a;
    random.#b = b;
    random.#c = c;
    random.#counter = counter;
    random.#spare = spare[0];
    return random;
  }

  /** All that decides what comes next: four or five numbers. */
  get state(): readonly number[] {
    const spare = this.#spare === undefined ? [] : [this.#spare];
    return [this.#a, this.#b, this.#c, this.#counter, ...spare];
  }

  /** Draws from [0, 1), in steps of 2^-32. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / UINT32;
  }

  /** Draws from the normal distribution of mean 0 and variance 1, by Marsaglia's polar method. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.next() - 1;
      const v = 2 * this.next() - 1;
      const square = u * u + v * v;
      if (square === 0 || square >= 1) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = v * scale;
      return u * scale;
    }
  }

  /**
   * Puts items in random order, each order as likely as any other (Fisher-Yates).
   *
   * @param items left as they are
   * @returns a copy in another order
   */
  shuffled<T>(items: Iterable<T>): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = Math.floor(this.next() * (i + 1));
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }
}
