/**
 * Files over HTTP, however the network is: a download that breaks off is taken up where it stopped, a server that is busy is
 * asked again later, one that falls silent is not waited for.
 */

import { ClipEError } from "@clip-e/shared";
import { abortable, pause } from "./abortable.ts";
import { ReceivedBytes } from "./received_bytes.ts";
import { readRetryAfter } from "./retry_after.ts";
import { hideSecrets, showUrl } from "./show_url.ts";

/** Options of {@link download}. */
export interface DownloadOptions {
  /** Sends a request. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Sent with every request. */
  readonly headers: Headers;
  /** How long the server may be silent, in milliseconds: before it answers, and between the pieces of its answer. */
  readonly timeout: number;
  /** How often it is tried again after a fault that may pass. */
  readonly retries: number;
  /** How long to wait before the first time, in milliseconds; twice as long each time after it. */
  readonly retryDelay: number;
  /** Gives up, with the signal's reason. */
  readonly signal: AbortSignal | undefined;
  /** How long the file has to be, where that is known. Only then is a broken download resumed. */
  readonly length: number | undefined;
  /** Hears how much has come, and of how much. */
  readonly onBytes: (bytes: number, total: number | undefined) => void;
}

/** A server that wants to be left alone for longer than this is not waited for. */
const MAX_WAIT = 60_000;

/** A browser's alone: elsewhere there are no cookies and no cache in between, and workerd refuses these options. */
const BROWSER_OPTIONS: RequestInit = "credentials" in Request.prototype
  ? { credentials: "omit", cache: "no-cache" }
  : {};

/** A fault that may pass. */
class Interruption extends Error {
  constructor(message: string, readonly retryAfter?: number) {
    super(message);
  }
}

/**
 * Downloads a file.
 *
 * @param url of the file
 * @param options limits
 * @returns its bytes, unchecked but for their number, and whether they came in several pieces; `undefined` where there is no
 * such file
 * @throws {ClipEError} `invalid-bundle`, when it cannot be had
 */
export async function download(
  url: URL,
  options: DownloadOptions,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; isResumed: boolean } | undefined> {
  const { retries, retryDelay, signal = new AbortController().signal } = options;
  const received = new ReceivedBytes(options.length);
  for (let attempt = 0;; attempt++) {
    try {
      const answer = await attemptDownload(url, received, { ...options, signal });
      return answer && { bytes: received.take(), ...answer };
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      const wait = error.retryAfter ?? retryDelay * 2 ** attempt * (0.75 + Math.random() / 2);
      if (wait > MAX_WAIT) {
        throw unreadable(url, `${error.message}, and wants to be asked in ${wait / 1000} seconds`);
      }
      if (attempt >= retries) throw unreadable(url, `${error.message}, ${times(attempt + 1)}`);
      await pause(wait, signal);
    }
  }
}

/** Begins a download, or takes it up where it broke off. */
async function attemptDownload(
  url: URL,
  received: ReceivedBytes,
  options: DownloadOptions & { readonly signal: AbortSignal },
): Promise<{ isResumed: boolean } | undefined> {
  const { headers, timeout, onBytes } = options;
  const silence = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal]);
  const seconds = timeout / 1000;
  const late = new Interruption(`the server was silent for ${seconds} seconds`);
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Waits for the server's next sign. */
  const hear = async <T>(sign: Promise<T>): Promise<T> => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(late), timeout);
    try {
      return await abortable(sign, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const reason = hideSecrets(error instanceof Error ? error.message : String(error));
      // What Deno may not do now, it may not do later either.
      if (error instanceof Error && error.name === "NotCapable") throw unreadable(url, reason);
      throw new Interruption(`the connection failed (${reason})`);
    }
  };

  const request = new Request(url, { ...BROWSER_OPTIONS, headers: new Headers(headers), signal });
  if (received.length > 0) request.headers.set("Range", `bytes=${received.length}-`);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    const response = await hear(options.fetch(request));
    reader = response.body?.getReader();
    if (response.status === 404 || response.status === 410) return undefined;
    // The file is no longer what the first piece was of.
    if (response.status === 416) received.restart();
    checkStatus(url, response);
    const isResumed = prepare(response, received);
    const total = options.length ?? plainLength(response);
    while (reader) {
      const { done, value } = await hear(reader.read());
      if (done) break;
      if (!received.add(value)) throw unreadable(url, `it is longer than ${received.limit} bytes`);
      onBytes(received.length, total);
    }
    if (received.length < (total ?? 0)) {
      throw new Interruption(`the download ended after ${received.length} of ${total} bytes`);
    }
    return { isResumed };
  } catch (error) {
    // The manifest, which cannot be checked when it is put together.
    if (options.length === undefined) received.restart();
    throw error;
  } finally {
    clearTimeout(timer);
    // Ends the connection, where it is still open.
    silence.abort();
    reader?.cancel().catch(() => {});
  }
}

/** Refuses an answer that is not the file. */
function checkStatus(url: URL, response: Response): void {
  if (response.ok) return;
  const { status, statusText } = response;
  const answer = `the server answered ${status} ${statusText}`.trimEnd();
  if (status >= 500 || [408, 416, 425, 429].includes(status)) {
    throw new Interruption(answer, readRetryAfter(response));
  }
  const mend = status === 401 || status === 403 ? ": does the request need a header?" : "";
  throw unreadable(url, answer + mend);
}

/** The body's length by its header, which counts other bytes where they are compressed. */
function plainLength({ headers }: Response): number | undefined {
  const length = headers.get("Content-Length");
  return length === null || headers.has("Content-Encoding") ? undefined : Number(length);
}

/**
 * Makes ready for an answer's bytes, and says whether they go on where the last answer broke off. A server need not know
 * ranges (RFC 9110, 14.2).
 */
function prepare({ status, headers }: Response, received: ReceivedBytes): boolean {
  const from = received.length;
  // Hidden from a page of another origin, where the hash alone decides.
  const range = headers.get("Content-Range");
  const fits = status === 206 && (range === null || range.startsWith(`bytes ${from}-`));
  if (fits) return from > 0;
  received.restart();
  if (status !== 206) return false;
  throw new Interruption("the server sent another part of the file than was asked for");
}

function unreadable(url: URL, why: string): ClipEError {
  return new ClipEError("invalid-bundle", `Cannot read ${showUrl(url)}: ${why}`);
}

function times(count: number): string {
  return count === 1 ? "at the only attempt" : `at the last of ${count} attempts`;
}
