/**
 * A caller of the HTTP API, for anything that has the web's `fetch`: pages, Node, Deno, Workers. It needs nothing else.
 */

import { abortable, pause } from "../http/abortable.ts";
import { readRetryAfter } from "../http/retry_after.ts";
import { hideSecrets, showUrl } from "../http/show_url.ts";
import { parseWebUrl } from "../http/web_url.ts";
import type { ModelInfo } from "../model_info.ts";
import type { ClassifyOptions } from "../plan.ts";
import type {
  ClassifyAllAnswer,
  ClassifyAnswer,
  EmbedAllAnswer,
  EmbedAnswer,
  HealthAnswer,
  ScoreAnswer,
} from "./answers.ts";
import { ApiError, readProblem } from "./api_error.ts";

/** A JPEG, PNG or WebP file; its bytes say which. */
export type PictureFile = Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** Of the server, with the path that the API is mounted at. */
  readonly url: string | URL;
  /** A bearer token, where the server asks for one. */
  readonly token?: string;
  /** More headers, for what stands before the server. */
  readonly headers?: HeadersInit;
  /** How long a call may take, its waits included, in milliseconds. By default 60 seconds. */
  readonly timeout?: number;
  /** How often a call is made again when the server is busy and says when to ask again. By default 2 times. */
  readonly retries?: number;
  /** Sends requests in place of the runtime's `fetch`: an app's own `fetch`, a Worker's service binding. */
  readonly fetch?: (request: Request) => Response | Promise<Response>;
}

/** Options of one call. */
export interface CallOptions {
  /** Gives the call up, with its reason. */
  readonly signal?: AbortSignal;
  /** In place of the client's own. */
  readonly timeout?: number;
}

/** Options of a call that scores. */
export interface ScoreCallOptions extends ClassifyOptions, CallOptions {}

/** An embedding and what it is of, such as the answer of `embed`. */
export interface EmbeddingInSpace {
  /** `[D]`, not normalised. */
  readonly embedding: ArrayLike<number>;
  /** The space, or its id. */
  readonly embeddingSpace: string | { readonly id: string };
}

/** Calls the API. Every call throws {@link ApiError}, or the reason of the signal that ended it. */
export interface Client {
  /** Says what a picture evokes. */
  classify(picture: PictureFile, options?: ScoreCallOptions): Promise<ClassifyAnswer>;
  /** Says what several pictures evoke; one that is refused does not spoil the others. */
  classifyAll(
    pictures: readonly PictureFile[],
    options?: ScoreCallOptions,
  ): Promise<ClassifyAllAnswer>;
  /** Embeds a picture. */
  embed(picture: PictureFile, options?: CallOptions): Promise<EmbedAnswer>;
  /** Embeds several pictures; one that is refused does not spoil the others. */
  embedAll(pictures: readonly PictureFile[], options?: CallOptions): Promise<EmbedAllAnswer>;
  /** Says what an embedding evokes. */
  score(embedding: EmbeddingInSpace, options?: ScoreCallOptions): Promise<ScoreAnswer>;
  /** Tells of the model: taxonomies, methods, measured figures, licence. */
  model(options?: CallOptions): Promise<ModelInfo>;
  /** Whether the server can classify. */
  health(options?: CallOptions): Promise<HealthAnswer>;
}

/** What a call sends. */
interface Call {
  readonly path: string;
  /** What its answer has. */
  readonly answer: string;
  readonly query?: URLSearchParams;
  readonly body?: BodyInit;
}

/**
 * Makes a client.
 *
 * @param options where the server is
 * @throws {TypeError} when the URL is not one
 *
 * @example
 * ```ts ignore
 * const client = createClient({ url: "http://localhost:8000" });
 * const { predictions } = await client.classify(await Deno.readFile("photo.jpg"), { top: 3 });
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const { retries = 2, fetch = (request: Request) => globalThis.fetch(request) } = options;
  const base = parseBase(options.url);
  const headers = new Headers(options.headers);
  if (options.token !== undefined) headers.set("Authorization", `Bearer ${options.token}`);

  async function send<T>(call: Call, callOptions: CallOptions = {}): Promise<T> {
    const { timeout = options.timeout ?? 60_000 } = callOptions;
    const url = new URL(call.path, base);
    url.search = String(call.query ?? "");
    const shown = showUrl(url);
    const limit = new AbortController();
    const signals = [limit.signal, ...(callOptions.signal ? [callOptions.signal] : [])];
    const signal = AbortSignal.any(signals);
    const end = Date.now() + timeout;
    const timer = setTimeout(() => {
      const message = `${shown} did not answer within ${timeout / 1000} seconds`;
      limit.abort(new ApiError("timeout", message));
    }, timeout);
    try {
      for (let attempt = 0;; attempt++) {
        signal.throwIfAborted();
        const request = new Request(url, {
          ...(call.body !== undefined && { method: "POST", body: call.body }),
          headers,
          signal,
        });
        const response = await abortable(Promise.resolve(fetch(request)), signal);
        if (response.ok) return await readAnswer(abortable(response.json(), signal), call, shown);
        const problem = await abortable(readProblem(response, shown), signal);
        const wait = [429, 503].includes(response.status) ? readRetryAfter(response) : undefined;
        if (wait === undefined || attempt >= retries || Date.now() + wait >= end) throw problem;
        await pause(wait, signal);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ApiError) throw error;
      const why = hideSecrets(error instanceof Error ? error.message : String(error));
      throw new ApiError("unreachable", `Cannot reach ${shown}: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    classify: (picture, options = {}) =>
      send(classifying(queryOf(options), picture, "predictions"), options),
    classifyAll: (pictures, options = {}) =>
      send(classifying(queryOf(options), formOf(pictures), "results"), options),
    embed: async (picture, options) => {
      const answer = await send<Plain<EmbedAnswer>>(embedding(picture, "embedding"), options);
      return { ...answer, embedding: Float32Array.from(answer.embedding) };
    },
    embedAll: async (pictures, options) => {
      const call = embedding(formOf(pictures), "results");
      const { results, ...rest } = await send<PlainAll<EmbedAllAnswer>>(call, options);
      return {
        ...rest,
        results: results.map((result) =>
          "error" in result ? result : { ...result, embedding: Float32Array.from(result.embedding) }
        ),
      };
    },
    score: ({ embedding, embeddingSpace }, options = {}) => {
      const space = typeof embeddingSpace === "string" ? embeddingSpace : embeddingSpace.id;
      const body = JSON.stringify({ embeddingSpace: space, embedding: Array.from(embedding) });
      const query = queryOf(options);
      return send({ path: "v1/score", query, body, answer: "predictions" }, options);
    },
    model: (options) => send({ path: "v1/model", answer: "taxonomies" }, options),
    health: (options) => send({ path: "readyz", answer: "faults" }, options),
  };
}

/** JSON has no arrays of floats. */
type Plain<T> = T extends { readonly embedding: Float32Array }
  ? Omit<T, "embedding"> & { readonly embedding: readonly number[] }
  : T;
type PlainAll<T extends { readonly results: readonly unknown[] }> =
  & Omit<T, "results">
  & { readonly results: readonly Plain<T["results"][number]>[] };

function classifying(query: URLSearchParams, body: BodyInit, answer: string): Call {
  return { path: "v1/classify", query, body, answer };
}

function embedding(body: BodyInit, answer: string): Call {
  return { path: "v1/embed", body, answer };
}

/** The API's URL, with a slash at its end. */
function parseBase(url: string | URL): URL {
  const base = parseWebUrl(url);
  if (!base || base.username !== "" || base.password !== "") {
    const shown = JSON.stringify(String(url).replace(/[^/@]*@/, ""));
    throw new TypeError(
      `Cannot call ${shown}: give an http: or https: URL, without a name and password`,
    );
  }
  base.search = base.hash = "";
  base.pathname = base.pathname.replace(/\/?$/, "/");
  return base;
}

function queryOf({ taxonomies = [], labels = [], method, top }: ClassifyOptions): URLSearchParams {
  return new URLSearchParams([
    ...taxonomies.map((taxonomy) => ["taxonomy", taxonomy]),
    ...labels.map((label) => ["label", label]),
    ...(method === undefined ? [] : [["method", method]]),
    ...(top === undefined ? [] : [["top", String(top)]]),
  ]);
}

function formOf(pictures: readonly PictureFile[]): FormData {
  const form = new FormData();
  for (const picture of pictures) {
    form.append("image", picture instanceof Blob ? picture : new Blob([picture]), "picture");
  }
  return form;
}

/** An answer, which another server's success would not be. */
async function readAnswer<T>(json: Promise<unknown>, call: Call, url: string): Promise<T> {
  const answer = await json.catch((error) => {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  });
  if (typeof answer === "object" && answer !== null && call.answer in answer) return answer as T;
  throw new ApiError(
    "unexpected-answer",
    `${url} did not answer as this API does: is the address right?`,
  );
}
