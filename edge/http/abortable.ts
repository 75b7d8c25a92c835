/**
 * Waiting that can be given up.
 */

/**
 * Waits for a promise, or until a signal aborts: not everything that is asked to stop does.
 *
 * @param promise whatever it comes to later is dropped
 * @param signal rejects with its reason
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Waits for some time.
 *
 * @param milliseconds how long
 * @param signal ends it early, with its reason
 */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
  try {
    await abortable(passed, signal);
  } finally {
    clearTimeout(timer);
  }
}
