/**
 * Files kept between runs by the web's Cache API, which pages, Deno and Workers all have. A file is found by its address and
 * its SHA-256 together, so that files of two versions of a bundle never mix; what comes back is checked, as storage may be
 * damaged. That a cache is full, forbidden or absent is nobody's fault: it is gone without.
 */

import { sha256 } from "@clip-e/shared";

/** What is used of the web's `Cache`. */
export interface CacheLike {
  /** Finds an answer. */
  match(key: string): Promise<Response | undefined>;
  /** Keeps an answer. */
  put(key: string, answer: Response): Promise<void>;
  /** Drops an answer. */
  delete(key: string): Promise<boolean>;
  /** Lists what is kept, where the runtime can. */
  keys?(): Promise<readonly Request[]>;
}

/** The name of the one that is opened where the caller gives none. */
const CACHE_NAME = "clip-e";

/** Files by address and SHA-256. */
export interface FileCache {
  /** A file that is whole; a damaged one is dropped. */
  get(url: URL, hash: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Streams a file, unchecked. */
  stream(url: URL, hash: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
  /** Keeps a file, in place of its other versions. */
  put(url: URL, hash: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Makes a cache of files.
 *
 * @param cache the web's, or `default` for one of our own name, opened at the first use
 */
export function createFileCache(cache: CacheLike | "default"): FileCache {
  let opened: Promise<CacheLike | undefined> | undefined;
  const open = () =>
    opened ??= cache === "default"
      ? orUndefined<CacheLike>(() => caches.open(CACHE_NAME))
      : Promise.resolve(cache);

  return {
    async get(url, hash) {
      const cache = await open();
      const key = keyOf(url, hash);
      const kept = await orUndefined(async () => (await cache?.match(key))?.arrayBuffer());
      if (!kept) return undefined;
      const bytes = new Uint8Array(kept);
      if (await sha256(bytes) === hash) return bytes;
      await orUndefined(() => cache?.delete(key));
      return undefined;
    },
    async stream(url, hash) {
      const cache = await open();
      return (await orUndefined(() => cache?.match(keyOf(url, hash))))?.body ?? undefined;
    },
    async put(url, hash, bytes) {
      const cache = await open();
      if (!cache) return;
      await orUndefined(() => dropVersions(cache, url));
      const headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Length": String(bytes.length),
      };
      await orUndefined(() => cache.put(keyOf(url, hash), new Response(bytes, { headers })));
    },
  };
}

/** Without the URL's own query, whose signature may be another tomorrow. */
function keyOf({ origin, pathname }: URL, hash: string): string {
  return `${origin}${pathname}?sha256=${hash}`;
}

/** Drops what is kept of a file, whatever its hash: nobody will ask for it again. */
async function dropVersions(cache: CacheLike, url: URL): Promise<void> {
  const every = keyOf(url, "");
  for (const key of await cache.keys?.() ?? []) {
    if (key.url.startsWith(every)) await cache.delete(key.url);
  }
}

/** What something comes to; nothing, where it fails. */
async function orUndefined<T>(run: () => Promise<T | undefined> | undefined) {
  try {
    return await run();
  } catch {
    return undefined;
  }
}
