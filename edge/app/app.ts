/**
 * The HTTP app: routes, and nothing that knows a runtime.
 */

import { ClipEError } from "@clip-e/shared";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import type { Classifier, Timings } from "../classifier.ts";
import { planPredictions } from "../plan.ts";
import { createAdmission } from "./admission.ts";
import { describeApi } from "./openapi.ts";
import { type PageSource, servePage } from "./page.ts";
import { problemResponse, toProblem } from "./problem.ts";
import { readQuery, refuseQuery } from "./query.ts";
import { serverTiming } from "./server_timing.ts";
import { readScoreRequest } from "./score_request.ts";
import { readBody, readUpload } from "./upload.ts";

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
  /** The origin that pages may call from, or `*`. By default only the app's own. */
  readonly corsOrigin?: string;
  /** Where the page's files are; without them there is no page. */
  readonly page?: PageSource;
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

/**
 * Makes the HTTP app, to be served as it is or mounted in another.
 *
 * @param classifier answers for the pictures
 * @param options limits
 */
export function createApp(classifier: Classifier, options: AppOptions = {}): EdgeApp {
  const { corsOrigin, page, onError = () => {} } = options;
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

  /** Answers for the pictures of a request, each by itself. */
  async function answer<T extends { readonly timings: Timings }>(
    c: Context,
    head: object,
    compute: (picture: Uint8Array<ArrayBuffer>) => Promise<T>,
    show: (result: T) => object,
  ): Promise<Response> {
    const { isMultipart, outcomes } = await computeUpload(c.req.raw, compute);
    const timing = serverTiming(
      outcomes.flatMap((o) => o.status === "fulfilled" ? [o.value.timings] : []),
    );
    if (timing) c.header("Server-Timing", timing);
    const results = outcomes.map((outcome) => {
      if (outcome.status === "fulfilled") return show(outcome.value);
      if (!isMultipart) throw outcome.reason;
      return { error: describe(outcome.reason) };
    });
    return c.json(isMultipart ? { ...head, results } : { ...head, ...results[0] });
  }

  /** Reads the pictures of a request and computes each, as far as there is room. */
  async function computeUpload<T>(
    request: Request,
    compute: (picture: Uint8Array<ArrayBuffer>) => Promise<T>,
  ): Promise<{ isMultipart: boolean; outcomes: PromiseSettledResult<T>[] }> {
    const ticket = enter();
    try {
      const upload = await readUpload(request, { ...limits, onBytes: ticket.addBytes });
      ticket.addPictures(upload.pictures.length);
      const outcomes = await Promise.allSettled(upload.pictures.map(async (picture) => {
        if (picture instanceof ClipEError) throw picture;
        return await compute(picture);
      }));
      return { isMultipart: upload.isMultipart, outcomes };
    } finally {
      ticket.leave();
    }
  }

  /** An error as the caller sees it; one that nobody raised on purpose goes to the log. */
  function describe(error: unknown) {
    const problem = toProblem(error);
    if (problem.code === "internal") onError(error);
    return problem;
  }

  const app = new Hono();
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", "blob:", "data:"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  if (corsOrigin !== undefined) {
    app.use(cors({ origin: corsOrigin, exposeHeaders: ["Server-Timing", "Retry-After"] }));
  }
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

  app.post("/v1/classify", (c) => {
    const query = readQuery(c.req.queries());
    planPredictions(model, query);
    return answer(
      c,
      { model: modelName },
      (picture) => classifier.classify(picture, query),
      ({ image, predictions }) => ({ image, predictions }),
    );
  });
  app.post("/v1/embed", (c) => {
    refuseQuery(c.req.queries());
    return answer(
      c,
      { model: modelName, embeddingSpace: model.embeddingSpace },
      (picture) => classifier.embed(picture),
      ({ image, embedding }) => ({ image, embedding: Array.from(embedding) }),
    );
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
  app.get("/v1/model", (c) => c.json(model));
  app.get("/healthz", (c) => c.text("ok"));
  app.get("/readyz", (c) => {
    // A damaged model card changes no answer.
    const isDegraded = model.faults.some((f) => f.fault === "invalid" && f.part !== "model card");
    return c.json({ status: isDegraded ? "degraded" : "ready", faults: model.faults });
  });
  const description = describeApi(limits.maxPictures);
  app.get("/openapi.json", (c) => c.json(description));
  if (page) servePage(app, page);

  app.notFound((c) =>
    problemResponse(c, new ClipEError("not-found", `There is nothing at ${c.req.path}`))
  );
  app.onError((error, c) => {
    describe(error);
    return problemResponse(c, error);
  });
  return { fetch: (request) => app.fetch(request) };
}
