/**
 * The HTTP app: routes, and nothing that knows a runtime.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import { type Context, Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { Classifier, Timings } from "../classifier.ts";
import { type ClassifyOptions, planPredictions } from "../plan.ts";
import { allowOrigins } from "./allow_origins.ts";
import { type AnswerCache, answerKey, recall } from "./answer_cache.ts";
import { createAdmission } from "./admission.ts";
import { limitRate } from "./limit_rate.ts";
import { describeApi } from "./openapi.ts";
import { type PageSource, servePage } from "./page.ts";
import { problemResponse, toProblem } from "./problem.ts";
import { readQuery, refuseQuery } from "./query.ts";
import { type AppEnv, recordRequests, type RequestRecord } from "./request_record.ts";
import { requireToken } from "./require_token.ts";
import { setSecurityHeaders } from "./security_headers.ts";
import { serveBrowser } from "./serve_browser.ts";
import { serveBundle } from "./serve_bundle.ts";
import { serverTiming } from "./server_timing.ts";
import { readScoreRequest } from "./score_request.ts";
import { readBody, readUpload, type Upload } from "./upload.ts";

/** Options of {@link createApp}. */
export interface AppOptions {
  /** The largest upload, in bytes. By default 20 MiB. */
  readonly maxBytes?: number;
  /** The most `image` parts of a multipart upload. By default 16. */
  readonly maxPictures?: number;
  /** Bytes of uploads that may be in memory at once; more are answered 503. By default 256 MiB. */
  readonly maxBytesInFlight?: number;
  /** Pictures that may wait, beside those being computed; more are answered 503. By default 64. */
  readonly maxQueue?: number;
  /** How long an upload may take, in milliseconds. By default 30 seconds. */
  readonly uploadTimeout?: number;
  /**
   * Bearer tokens (RFC 6750), several so that they can be changed one after the other: every path below `/v1/` then wants
   * one of them. The page, the documentation and the health checks stay open. By default everything is open.
   */
  readonly tokens?: readonly string[];
  /** The origins that pages may call from, or `*`. By default only the app's own. */
  readonly corsOrigin?: string | readonly string[];
  /**
   * Whether a request to a path below `/v1/` may go on; `false` is answered 429. It is asked before the token and the body
   * are looked at, and must not read the body.
   */
  readonly rateLimit?: (request: Request) => Promise<boolean>;
  /** Keeps answers of requests of one picture. By default none is kept. */
  readonly answerCache?: AnswerCache;
  /** Hears of every request once its answer is ready. */
  readonly onRequest?: (record: RequestRecord) => void;
  /** Where the page's files are; without them there is no page. */
  readonly page?: PageSource;
  /**
   * The bundle that the classifier was made of: callers then get its files too, weights included, below `/v1/bundle/`. By
   * default they do not.
   */
  readonly bundle?: BundleSource;
  /** Where the scripts are with which the page computes in its visitor's browser, by the `bundle`: it cannot without both. */
  readonly browser?: PageSource;
  /** Hears of failures that callers are not told about. */
  readonly onError?: (error: unknown) => void;
}

/** The HTTP app. */
export interface EdgeApp {
  /**
   * Answers a request: what `Deno.serve`, a Worker's default export and another Hono app's `mount` take. It needs no
   * `this`.
   */
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

/** What each limit is by default. */
export const APP_DEFAULTS = {
  maxBytes: 20 * 1024 * 1024,
  maxPictures: 16,
  maxBytesInFlight: 256 * 1024 * 1024,
  maxQueue: 64,
  uploadTimeout: 30_000,
} as const;

/** What a route makes of pictures. */
interface PictureTask<T> {
  /** What the answer says first. */
  readonly head: object;
  /** What else the answer depends on. */
  readonly query?: ClassifyOptions;
  readonly compute: (picture: Uint8Array<ArrayBuffer>) => Promise<T>;
  /** What the answer says of one. */
  readonly show: (result: T) => object;
}

/**
 * Makes the HTTP app, to be served as it is or mounted in another.
 *
 * @param classifier answers for the pictures
 * @param options limits
 * @throws {TypeError} when a token or an origin could never match
 */
export function createApp(classifier: Classifier, options: AppOptions = {}): EdgeApp {
  const { tokens, corsOrigin, rateLimit, answerCache, onRequest, onError = () => {} } = options;
  const { page, bundle, browser } = options;
  const limits = {
    maxBytes: options.maxBytes ?? APP_DEFAULTS.maxBytes,
    maxPictures: options.maxPictures ?? APP_DEFAULTS.maxPictures,
    timeout: options.uploadTimeout ?? APP_DEFAULTS.uploadTimeout,
  };
  const { model } = classifier;
  const modelName = { name: model.name, bundle: model.bundle };
  const enter = createAdmission(
    classifier.concurrency + (options.maxQueue ?? APP_DEFAULTS.maxQueue),
    options.maxBytesInFlight ?? APP_DEFAULTS.maxBytesInFlight,
  );

  /** Answers for the pictures of a request, from the cache where it knows the one that there is. */
  async function answer<T extends { readonly timings: Timings }>(
    c: Context<AppEnv>,
    task: PictureTask<T>,
  ): Promise<Response> {
    const ticket = enter();
    try {
      const upload = await readUpload(c.req.raw, { ...limits, onBytes: ticket.addBytes });
      const { isMultipart, pictures: [picture] } = upload;
      c.set("pictures", upload.pictures.length);
      const compute = () => {
        ticket.addPictures(upload.pictures.length);
        return computeUpload(c, upload, task);
      };
      if (!answerCache || isMultipart || picture instanceof ClipEError) {
        return jsonResponse(c, await compute());
      }
      const { url, path } = c.req;
      const { model } = classifier;
      const key = await answerKey({ url, path, model, query: task.query ?? {}, picture });
      const { body, isHit } = await recall(answerCache, key, compute, onError);
      if (isHit) c.header("Server-Timing", "cache;desc=hit");
      return jsonResponse(c, body);
    } finally {
      ticket.leave();
    }
  }

  /** Computes each picture by itself, and makes the body of the answer. */
  async function computeUpload<T extends { readonly timings: Timings }>(
    c: Context<AppEnv>,
    { isMultipart, pictures }: Upload,
    { head, compute, show }: PictureTask<T>,
  ): Promise<string> {
    const outcomes = await Promise.allSettled(pictures.map(async (picture) => {
      if (picture instanceof ClipEError) throw picture;
      return await compute(picture);
    }));
    const timing = serverTiming(
      outcomes.flatMap((o) => o.status === "fulfilled" ? [o.value.timings] : []),
    );
    if (timing) c.header("Server-Timing", timing);
    const results = outcomes.map((outcome) => {
      if (outcome.status === "fulfilled") return show(outcome.value);
      if (!isMultipart) throw outcome.reason;
      return { error: describe(outcome.reason) };
    });
    return JSON.stringify(isMultipart ? { ...head, results } : { ...head, ...results[0] });
  }

  /** An error as the caller sees it; one that nobody raised on purpose goes to the log. */
  function describe(error: unknown) {
    const problem = toProblem(error);
    if (problem.code === "internal") onError(error);
    return problem;
  }

  const app = new Hono<AppEnv>();
  if (onRequest) app.use(recordRequests(app, onRequest, onError));
  app.use(setSecurityHeaders());
  if (corsOrigin?.length) app.use(allowOrigins(corsOrigin));
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) => {
      const allow = methods.join(", ");
      const error = new ClipEError(
        "method-not-allowed",
        `${c.req.path} does not answer ${c.req.method}: use ${allow}`,
      );
      return problemResponse(c, error, { Allow: allow });
    },
  }));
  if (rateLimit) app.use("/v1/*", limitRate(rateLimit));
  if (tokens) app.use("/v1/*", requireToken(tokens));

  app.post("/v1/classify", (c) => {
    const query = readQuery(c.req.queries());
    planPredictions(model, query);
    return answer(c, {
      head: { model: modelName },
      query,
      compute: (picture) => classifier.classify(picture, query),
      show: ({ image, predictions }) => ({ image, predictions }),
    });
  });
  app.post("/v1/embed", (c) => {
    refuseQuery(c.req.queries());
    return answer(c, {
      head: { model: modelName, embeddingSpace: model.embeddingSpace },
      compute: (picture) => classifier.embed(picture),
      show: ({ image, embedding }) => ({ image, embedding: Array.from(embedding) }),
    });
  });
  app.post("/v1/score", async (c) => {
    const query = readQuery(c.req.queries());
    planPredictions(model, query);
    const ticket = enter();
    try {
      const body = await readBody(c.req.raw, { ...limits, onBytes: ticket.addBytes });
      ticket.addPictures(1);
      const predictions = await classifier.score(readScoreRequest(body, model), query);
      return c.json({ model: modelName, predictions });
    } finally {
      ticket.leave();
    }
  });
  app.get("/v1/model", (c) => c.json(classifier.model));
  if (bundle) serveBundle(app, bundle, model.bundle, onError);
  app.get("/healthz", (c) => c.text("ok"));
  app.get("/readyz", (c) => {
    const { faults } = classifier.model;
    // A damaged model card changes no answer.
    const isDegraded = faults.some((f) => f.fault === "invalid" && f.part !== "model card");
    return c.json({ status: isDegraded ? "degraded" : "ready", faults });
  });
  const description = describeApi(limits.maxPictures, {
    needsToken: tokens !== undefined,
    limitsRate: rateLimit !== undefined,
    servesBundle: bundle !== undefined,
  });
  app.get("/openapi.json", (c) => c.json(description));
  if (page) servePage(app, page);
  if (bundle && browser) serveBrowser(app, browser);

  app.notFound((c) =>
    problemResponse(c, new ClipEError("not-found", `There is nothing at ${c.req.path}`))
  );
  app.onError((error, c) => {
    describe(error);
    return problemResponse(c, error);
  });
  return { fetch: (request) => app.fetch(request) };
}

function jsonResponse(c: Context<AppEnv>, body: string): Response {
  return c.body(body, 200, { "Content-Type": "application/json" });
}
