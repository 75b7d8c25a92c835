// @ts-check
/**
 * So many at once, and the others in turn.
 *
 * @module
 */

/**
 * @param {number} count
 * @returns {<T>(task: () => Promise<T>) => Promise<T>} runs a task as soon as a lane is free
 */
export function createLanes(count) {
  let free = count;
  /** @type {(() => void)[]} */
  const waiting = [];
  return async (task) => {
    if (free > 0) free--;
    else await new Promise((resolve) => waiting.push(() => resolve(undefined)));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
