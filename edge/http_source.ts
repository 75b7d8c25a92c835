/**
 * A bundle behind a URL: on any static host, in a public bucket, beside a page. The manifest is asked for anew each time and
 * says the length and SHA-256 of every other file; what does not match is refused, so that neither the host nor what lies in
 * between needs to be trusted when the manifest's digest is pinned.
 */

import {
  type BundleFile,
  type BundleSource,
  ClipEError,
  filesOf,
  MANIFEST_PATH,
  parseManifest,
  sha256,
} from "@clip-e/shared";
import { skipBytes } from "./http/cut_stream.ts";
import { download } from "./http/download.ts";
import { type CacheLike, createFileCache } from "./http/file_cache.ts";
import { hideSecrets, showUrl } from "./http/show_url.ts";
import { parseWebUrl } from "./http/web_url.ts";

/** How far the reading of one file has come. */
export interface FileProgress {
  /** Of the file, relative to the bundle; of WebAssembly for a page, the name. */
  readonly path: string;
  /** How many bytes are here. */
  readonly bytes: number;
  /** Of how many; absent where nobody says. */
  readonly total?: number;
  /** Whether it needed no download. */
  readonly isCached: boolean;
}

/** Options of {@link httpSource}. */
export interface HttpSourceOptions {
  /** The expected digest of the manifest, `sha256:...`. A manifest that is pinned may come from the cache too. */
  readonly digest?: string;
  /** Sent with every request, such as `Authorization`. */
  readonly headers?: HeadersInit;
  /** Keeps files between runs: one of the web's, or `default` for the runtime's. By default nothing is kept. */
  readonly cache?: CacheLike | "default";
  /** Hears of every piece that comes. */
  readonly onProgress?: (progress: FileProgress) => void;
  /** How often a file is asked for again after a fault that may pass. By default 4 times, over about 8 seconds. */
  readonly retries?: number;
  /** The wait before the first of these, in milliseconds, which then doubles. By default 500; `Retry-After` goes before it. */
  readonly retryDelay?: number;
  /** How long the server may be silent, in milliseconds. By default 30 seconds. */
  readonly timeout?: number;
  /** Ends reading, with its reason. */
  readonly signal?: AbortSignal;
  /** Sends requests in place of the runtime's `fetch`, such as a Worker's service binding. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/**
 * Reads files below a URL.
 *
 * @param url of the bundle's folder, or of its manifest; `http:` or `https:`, in a page also relative to it. A query, such as
 * a signature, goes with every file; a name and password go in a header. Errors name none of them
 * @param options integrity, headers, cache and limits
 * @returns a source that has nothing for files that the server does not have (404, 410)
 * @throws {TypeError} when the URL is not one; `read` throws {@link ClipEError} `invalid-bundle` when a file cannot be had
 *
 * @example
 * ```ts ignore
 * const source = httpSource("https://models.example.com/clip-e/", {
 *   cache: "default",
 *   onProgress: ({ path, bytes, total }) => console.log(path, bytes, total),
 * });
 * const classifier = await createClassifier({ bundle: source });
 * ```
 */
export function httpSource(url: string | URL, options: HttpSourceOptions = {}): BundleSource {
  const {
    digest,
    onProgress = () => {},
    retries = 4,
    retryDelay = 500,
    timeout = 30_000,
    signal,
    fetch = (request) => globalThis.fetch(request),
  } = options;
  const base = parseBase(url);
  const headers = new Headers(options.headers);
  if (base.username !== "" || base.password !== "") {
    if (!headers.has("Authorization")) headers.set("Authorization", basicCredentials(base));
    base.username = base.password = "";
  }
  const cache = options.cache && createFileCache(options.cache);
  /** What is known of files before they come. */
  let known: ReadonlyMap<string, Partial<BundleFile>> = new Map(
    digest === undefined ? [] : [[MANIFEST_PATH, { sha256: digest.replace(/^sha256:/, "") }]],
  );

  function locate(path: string): URL {
    const file = new URL(path, base);
    file.search = base.search;
    return file;
  }

  async function fetchFile(
    path: string,
    file: URL,
    length: number | undefined,
  ): Promise<{ bytes: Uint8Array<ArrayBuffer>; isResumed: boolean } | undefined> {
    return await download(file, {
      fetch,
      headers,
      timeout,
      retries,
      retryDelay,
      signal,
      length,
      onBytes: (bytes, total) =>
        onProgress({ path, bytes, ...(total !== undefined && { total }), isCached: false }),
    });
  }

  async function readFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    signal?.throwIfAborted();
    const file = locate(path);
    const { sha256: hash, bytes: length } = known.get(path) ?? {};
    const kept = hash === undefined ? undefined : await cache?.get(file, hash);
    if (kept) {
      onProgress({ path, bytes: kept.length, total: kept.length, isCached: true });
      return kept;
    }
    let answer = await fetchFile(path, file, length);
    if (hash === undefined || answer === undefined) return answer?.bytes;
    let actual = await sha256(answer.bytes);
    // The file may have changed between its pieces.
    if (actual !== hash && answer.isResumed) {
      answer = await fetchFile(path, file, length);
      if (!answer) return undefined;
      actual = await sha256(answer.bytes);
    }
    if (actual !== hash) throw altered(path, file, actual, hash);
    await cache?.put(file, hash, answer.bytes);
    return answer.bytes;
  }

  /** What is kept, or what the server sends: whoever gets it checks it. */
  async function streamFile(path: string, start: number) {
    const file = locate(path);
    const { sha256: hash } = known.get(path) ?? {};
    const kept = hash === undefined ? undefined : await cache?.stream(file, hash);
    if (kept) return skipBytes(kept, start);
    const request = new Request(file, { headers: new Headers(headers), signal: signal ?? null });
    if (start > 0) request.headers.set("Range", `bytes=${start}-`);
    const unreadable = (why: string) =>
      new ClipEError("invalid-bundle", `Cannot read ${showUrl(file)}: ${why}`);
    const response = await fetch(request).catch((error) => {
      throw unreadable(hideSecrets(error instanceof Error ? error.message : String(error)));
    });
    const { status, body } = response;
    if (response.ok && body) return skipBytes(body, status === 206 ? 0 : start);
    await body?.cancel();
    if (status === 404 || status === 410) return undefined;
    throw unreadable(`the server answered ${status}`);
  }

  return {
    location: showUrl(base),
    stream: streamFile,
    async read(path) {
      const bytes = await readFile(path);
      if (path === MANIFEST_PATH && bytes) known = new Map([...known, ...filesByPath(bytes)]);
      return bytes;
    },
  };
}

/** The folder's URL, with a slash at its end. */
function parseBase(url: string | URL): URL {
  const base = parseWebUrl(url);
  if (!base) {
    const shown = JSON.stringify(String(url).replace(/[^/@]*@/, ""));
    throw new TypeError(
      `Cannot read a bundle from ${shown}: it is no http: or https: URL. For a folder on disk, give ` +
        "folderSource(folder) of @clip-e/edge/deno",
    );
  }
  base.hash = "";
  base.pathname = base.pathname.replace(/\/?(manifest\.json)?$/, "/");
  return base;
}

/** Basic authentication (RFC 7617), since a request's URL may not carry it. */
function basicCredentials({ username, password }: URL): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}`;
}

/** What a manifest says of its files; nothing, where it is not valid, which its reader will find too. */
function filesByPath(bytes: Uint8Array): [string, BundleFile][] {
  try {
    const manifest = parseManifest(JSON.parse(new TextDecoder().decode(bytes)));
    const files = [...filesOf(manifest), ...(manifest.modelCard ? [manifest.modelCard] : [])];
    return files.map((file) => [file.path, file]);
  } catch {
    return [];
  }
}

function altered(path: string, file: URL, actual: string, hash: string): ClipEError {
  const [whose, mend] = path === MANIFEST_PATH
    ? ["that is pinned", "it was replaced by another version, or altered on the way"]
    : ["in its manifest", "the bundle is being replaced, or the file was altered on the way"];
  return new ClipEError(
    "invalid-bundle",
    `Cannot use ${showUrl(file)}: its SHA-256 is ${actual}, the one ${whose} is ${hash}; ${mend}`,
  );
}
