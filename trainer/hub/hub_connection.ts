/**
 * How a model hub is spoken to: one attempt at a time with the user's token, tried again where that
 * can help, and what finally failed told in a sentence. The package `@huggingface/hub` does the
 * asking; it neither tries again nor gives up on a connection that has gone silent, so its requests
 * go through the `fetch` from here.
 */

import { HUB_URL } from "@huggingface/hub";
import { TrainerError } from "../errors.ts";

/** Waits before the second, third, ... attempt, in milliseconds. */
const WAITS: readonly number[] = [500, 1000, 2000, 4000];

/** How long a connection may be silent before it counts as cut, in milliseconds. */
const PATIENCE = 60_000;

/**
 * The longest wait that a hub may ask for, in milliseconds: a hub's limits are counted over five
 * minutes.
 */
const LONGEST_WAIT = 300_000;

/** How long to try. */
export interface HubPatience {
  /**
   * Waits before the second, third, ... attempt, in milliseconds; half a second, then doubled, four
   * times by default.
   */
  readonly waits?: readonly number[];
  /**
   * How long a connection may be silent before it counts as cut, in milliseconds; a minute by
   * default.
   */
  readonly silence?: number;
}

/** Options of {@link HubConnection}. */
export interface HubConnectionOptions {
  /** The model to be fetched, `organisation/name`. */
  readonly model: string;
  /** Its revision, as the user named it. */
  readonly revision: string;
  /** Address of the hub; `HF_ENDPOINT`, else the public hub, by default. */
  readonly endpoint?: string | undefined;
  /** Shown to the hub, and to nobody whom it redirects to; `HF_TOKEN` by default. */
  readonly token?: string | undefined;
  /** A commit that could be had without the hub, for the error. */
  readonly held?: string | undefined;
  /** How long to try. */
  readonly patience?: HubPatience | undefined;
  /** Ends all attempts. */
  readonly signal?: AbortSignal | undefined;
}

/** Why one attempt failed. */
export class HubFailure extends Error {
  /** Of the answer; absent when none came, or when it was cut off. */
  readonly status: number | undefined;
  /** The hub's own name of the error, such as `RevisionNotFound`. */
  readonly code: string | undefined;
  /** How long it asks to wait, in milliseconds. */
  readonly wait: number | undefined;
  /** The host that answered, where the hub had redirected to another one. */
  readonly elsewhere: string | undefined;

  /**
   * Makes the failure.
   *
   * @param words of the hub, or of the network
   * @param answer what is known of the answer
   */
  constructor(
    words: string,
    answer: { status?: number; code?: string; wait?: number; elsewhere?: string } = {},
  ) {
    super(words);
    this.status = answer.status;
    this.code = answer.code;
    this.wait = answer.wait;
    this.elsewhere = answer.elsewhere;
  }

  /** Whether another attempt may fare better. */
  get isPassing(): boolean {
    const { status } = this;
    return status === undefined || status === 408 || status === 429 || status >= 500;
  }
}

/** A hub, and one model in it. */
export class HubConnection {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** The same for people: without the name and the password that an address may hold. */
  readonly shownEndpoint: string;
  /** Address of the model's page, for people. */
  readonly page: string;
  readonly #options: HubConnectionOptions;
  readonly #token: string | undefined;
  readonly #waits: readonly number[];
  readonly #silence: number;

  /**
   * Asks nothing yet.
   *
   * @param options where and what
   * @throws {TrainerError} when the endpoint is no address, or the token cannot be one
   */
  constructor(options: HubConnectionOptions) {
    this.#options = options;
    this.endpoint = readEndpoint(options.endpoint ?? (Deno.env.get("HF_ENDPOINT") || HUB_URL));
    this.shownEndpoint = this.endpoint.replace(/^(\w+:\/\/)[^/]*@/, "$1");
    this.page = `${this.shownEndpoint}/${options.model}`;
    this.#token = readToken(options.token ?? Deno.env.get("HF_TOKEN"));
    this.#waits = options.patience?.waits ?? WAITS;
    this.#silence = options.patience?.silence ?? PATIENCE;
  }

  /**
   * One attempt, for the package to make: with the token, and failing with a {@link HubFailure}
   * alone.
   *
   * @param input address
   * @param init as for the platform's `fetch`
   * @returns an answer that is a success
   */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    const isHub = url.origin === new URL(this.endpoint).origin;
    if (this.#token && isHub) headers.set("authorization", `Bearer ${this.#token}`);
    const stop = new AbortController();
    const { signal } = this.#options;
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const response = await this.#within(stop, fetch(input, { ...init, headers, signal: either }));
    if (!response.ok) throw await this.#refusal(response);
    if (!response.body) return response;
    return new Response(ReadableStream.from(this.#read(response.body, stop)), response);
  };

  /**
   * Waits for something that the network owes, but not for ever. Aborting the request is not relied on to end the wait: a
   * signal made by `AbortSignal.any` may be collected while it is still wanted.
   */
  async #within<T>(stop: AbortController, owed: Promise<T>): Promise<T> {
    const seconds = this.#silence / 1000;
    const { signal } = this.#options;
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const end = (reason: unknown) => {
      stop.abort(reason);
      reject(reason);
    };
    const endBySignal = () => end(signal?.reason);
    const timer = setTimeout(
      () => end(new HubFailure(`nothing came for ${seconds} seconds`)),
      this.#silence,
    );
    signal?.addEventListener("abort", endBySignal);
    if (signal?.aborted) endBySignal();
    owed.catch(() => {});
    try {
      return await Promise.race([owed, ended]);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      // The platform's `fetch` knows only `TypeError`, with the network's own words as its cause.
      throw error instanceof TypeError ? new HubFailure(wordsOf(error)) : error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", endBySignal);
    }
  }

  async *#read(body: ReadableStream<Uint8Array<ArrayBuffer>>, stop: AbortController) {
    const reader = body.getReader();
    try {
      while (true) {
        const { done, value } = await this.#within(stop, reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      void reader.cancel().catch(() => {});
    }
  }

  async #refusal(response: Response): Promise<HubFailure> {
    const { status, headers } = response;
    const body = await response.text().catch(() => "");
    const words = headers.get("x-error-message") ?? errorOf(body) ?? response.statusText;
    const host = new URL(response.url).origin;
    const code = headers.get("x-error-code");
    const wait = readWait(headers);
    return new HubFailure(words.slice(0, 200), {
      status,
      ...(code === null ? {} : { code }),
      ...(wait === undefined ? {} : { wait }),
      ...(host === new URL(this.endpoint).origin ? {} : { elsewhere: host }),
    });
  }

  /**
   * Does something until it succeeds, or there is no hope.
   *
   * @param what is fetched, for the error: "config.json of organisation/name"
   * @param attempt called again after a failure that may pass; it calls `progressed` when something
   * new has come, which makes the attempts count from the beginning
   * @throws {TrainerError} when it cannot be had
   */
  async persist<T>(
    what: string,
    attempt: (progressed: () => void) => Promise<T>,
  ): Promise<T> {
    let failures = 0;
    while (true) {
      try {
        return await attempt(() => failures = 0);
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        if (error instanceof SyntaxError) throw this.#notAHub(what, error);
        if (!(error instanceof HubFailure)) throw error;
        const wait = Math.max(this.#waits[failures] ?? 0, error.wait ?? 0);
        if (!error.isPassing || failures >= this.#waits.length || wait > LONGEST_WAIT) {
          throw this.#explain(what, error);
        }
        failures++;
        await sleep(wait, this.#options.signal);
      }
    }
  }

  #notAHub(what: string, cause: Error): TrainerError {
    return new TrainerError(
      `Cannot fetch ${what}: ${this.shownEndpoint} does not answer as a model hub does. ` +
        "Set HF_ENDPOINT to the address of one",
      { cause },
    );
  }

  #explain(what: string, cause: HubFailure): TrainerError {
    return new TrainerError(
      `Cannot fetch ${what} from ${this.shownEndpoint}: ${this.#reason(cause)}`,
      { cause },
    );
  }

  /** Why, and the mend. */
  #reason({ status, code, message: words, wait, elsewhere }: HubFailure): string {
    const { model, revision, held } = this.#options;
    const said = words === "" ? `${status}` : `${status}, ${words}`;
    if (status === undefined) {
      const instead = held ? `, or name the revision ${held}, which is in the cache` : "";
      return `${words}. Check the network, or set HF_ENDPOINT to a hub that can be reached, ` +
        `and run it again: what has come is kept${instead}`;
    }
    if (status === 429) {
      const seconds = wait ? `${Math.ceil(wait / 1000)} seconds` : "a while";
      const token = this.#token ? "" : ", or set HF_TOKEN, as more is allowed with one";
      return `it was asked too often (${said}). Wait ${seconds} and run it again: ` +
        `what has come is kept${token}`;
    }
    if (status >= 500) return `it fails (${said}). Try again later: what has come is kept`;
    if (elsewhere) {
      return `its storage ${elsewhere} refuses (${said}). Run it again for a new address, ` +
        "or set HF_ENDPOINT to another hub";
    }
    if (status === 401 && this.#token) {
      return `it does not accept the token (${said}). Check that the one in HF_TOKEN is still ` +
        `valid and may read ${this.page}, and that the model's name is right`;
    }
    if (status === 401) {
      return `it wants a token (${said}). Check the model's name; if it is private or gated, ` +
        `accept its licence on ${this.page} and set HF_TOKEN to a token of that account`;
    }
    if (status === 403) {
      return `it forbids that (${said}). Accept the model's licence on ${this.page} and set ` +
        "HF_TOKEN to a token of the account that did, with the right to read gated models";
    }
    if (status === 404 && code === "RevisionNotFound") {
      return `${model} has no revision ${revision} (${said}). ` +
        `Name a branch, a tag or a whole commit hash of ${this.page}`;
    }
    if (status === 404 && code === "EntryNotFound") {
      return `the file is in the listing, but not there (${said}). ` +
        "Run it again, or set HF_ENDPOINT to another hub";
    }
    if (status === 404) {
      return `there is no such model, or no revision ${revision} of it (${said}). ` +
        `Check the name, and whether ${this.page} exists`;
    }
    return `it refuses (${said}). Check HF_ENDPOINT`;
  }
}

function readEndpoint(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol)) return text.replace(/\/+$/, "");
  throw new TrainerError(
    `Cannot use the model hub ${JSON.stringify(text)}: it is no http or https address. ` +
      "Set HF_ENDPOINT to one, or unset it",
  );
}

function readToken(text: string | undefined): string | undefined {
  const token = text?.trim() || undefined;
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new TrainerError(
    "Cannot use the token in HF_TOKEN: it has spaces or signs that no token has. " +
      "Set HF_TOKEN to the token alone, or unset it",
  );
}

/**
 * What a hub asks to wait: `Retry-After` (RFC 9110, 10.2.3), or the `t` of a `RateLimit` field, in
 * milliseconds.
 */
function readWait(headers: Headers): number | undefined {
  const after = headers.get("retry-after") ?? headers.get("ratelimit")?.match(/\bt=(\d+)/)?.[1];
  if (after === undefined || after.trim() === "") return undefined;
  const wait = Number.isFinite(Number(after))
    ? Number(after) * 1000
    : Date.parse(after) - Date.now();
  return Number.isFinite(wait) ? Math.max(wait, 0) : undefined;
}

function errorOf(body: string): string | undefined {
  try {
    const { error } = { ...JSON.parse(body) };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

function wordsOf(error: TypeError): string {
  const { message } = error.cause instanceof Error ? error.cause : error;
  return message.replace(
    /^error sending request for url \(.*?\): (client error \(\w+\): )?/,
    "it cannot be reached: ",
  );
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal?.addEventListener("abort", wake);
  });
}
