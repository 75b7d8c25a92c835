/**
 * Work that would hold up all else, such as runs in WebAssembly, stops for a moment now and then, so that Ctrl-C is heard.
 */

/** How long nothing else may get its turn, in milliseconds. */
const BREATH_MS = 50;

/**
 * Makes a function that is to be called between pieces of work, as often as one likes.
 *
 * @param signal whose reason it throws once it is aborted
 */
export function breather(signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last >= BREATH_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      last = performance.now();
    }
    signal?.throwIfAborted();
  };
}
