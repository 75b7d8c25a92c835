/**
 * Quantised weights of one model, kept between runs that differ in what they leave in float.
 */

/** A store of quantised weights, which lives as long as one model is looked at. */
export class WeightCache {
  readonly #kept = new Map<string, unknown>();

  /**
   * Makes something once.
   *
   * @param key all that it depends on: the weights' name, and how they are quantised
   * @param make makes it
   */
  async get<T>(key: string, make: () => Promise<T>): Promise<T> {
    const kept = this.#kept.get(key);
    // A key names what it is, so that what lies under it is of the type that is asked for.
    if (kept !== undefined) return kept as T;
    const made = await make();
    this.#kept.set(key, made);
    return made;
  }
}
