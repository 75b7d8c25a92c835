/**
 * A limit on what one client asks in a minute, in the memory of one process.
 */

/** Options of {@link createRateLimiter}. */
export interface RateLimiterOptions {
  /** The most requests in any minute. */
  readonly perMinute: number;
  /** The most requests remembered, of all clients together. By default 100,000, which take 30 MB at worst. */
  readonly maxRemembered?: number;
  /** The time in milliseconds. By default one that never runs back. */
  readonly now?: () => number;
}

const MINUTE = 60_000;

/**
 * Makes a limiter. It counts over a sliding window: in no 60 seconds a client gets more than its share.
 *
 * @param options the limit
 * @returns whether a client may go on; a request that may not does not count
 */
export function createRateLimiter(options: RateLimiterOptions): (client: string) => boolean {
  const { perMinute, maxRemembered = 100_000, now = () => performance.now() } = options;
  /** When each client was let on in the last minute. The first client was let on longest ago. */
  const times = new Map<string, readonly number[]>();
  let remembered = 0;

  function forget(client: string): void {
    remembered -= times.get(client)?.length ?? 0;
    times.delete(client);
  }

  return (client) => {
    const time = now();
    const recent = (times.get(client) ?? []).filter((then) => then > time - MINUTE);
    if (recent.length >= perMinute) return false;
    forget(client);
    times.set(client, [...recent, time]);
    remembered += recent.length + 1;
    for (const [oldest, known] of times) {
      const isOver = known[known.length - 1] <= time - MINUTE;
      if (!isOver && remembered <= maxRemembered) break;
      forget(oldest);
    }
    return true;
  };
}
