/**
 * Answers kept in memory, as many as there is room for.
 */

import type { AnswerCache } from "./answer_cache.ts";

/** Options of {@link createMemoryCache}. */
export interface MemoryCacheOptions {
  /** How long an answer is good for, in seconds. */
  readonly ttl: number;
  /** The most bytes of answers. By default 64 MiB. */
  readonly maxBytes?: number;
  /** The time in milliseconds. By default the system's. */
  readonly now?: () => number;
}

/** An answer. */
interface Entry {
  readonly body: ArrayBuffer;
  readonly headers: Headers;
  readonly expires: number;
}

/** What an entry takes beside its body: its key, its headers, its place in the map. */
const ENTRY_BYTES = 1024;

/**
 * Makes a cache that forgets what was not asked for longest, when it is full.
 *
 * @param options limits
 */
export function createMemoryCache(options: MemoryCacheOptions): AnswerCache {
  const { ttl, maxBytes = 64 * 1024 * 1024, now = Date.now } = options;
  /** A map keeps the order of insertion: the first was not asked for longest. */
  const entries = new Map<string, Entry>();
  let held = 0;

  function forget(url: string): Entry | undefined {
    const entry = entries.get(url);
    if (!entry) return undefined;
    entries.delete(url);
    held -= entry.body.byteLength + ENTRY_BYTES;
    return entry;
  }

  function keep(url: string, entry: Entry): void {
    entries.set(url, entry);
    held += entry.body.byteLength + ENTRY_BYTES;
    for (const oldest of entries.keys()) {
      if (held <= maxBytes) break;
      forget(oldest);
    }
  }

  return {
    ttl,
    match({ url }) {
      const entry = forget(url);
      if (!entry || entry.expires <= now()) return Promise.resolve(undefined);
      keep(url, entry);
      return Promise.resolve(new Response(entry.body, { headers: entry.headers }));
    },
    async put({ url }, response) {
      const body = await response.arrayBuffer();
      forget(url);
      keep(url, { body, headers: response.headers, expires: now() + ttl * 1000 });
    },
  };
}
