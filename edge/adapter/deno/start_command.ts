/**
 * The options of `deno task start`.
 */

import type { FlagValues } from "@clip-e/shared/command-line";
import { APP_DEFAULTS } from "../../app/app.ts";
import { DEFAULT_MAX_PIXELS } from "../../classifier.ts";
import { BACKEND_FLAG } from "./choose_backends.ts";
import { BUNDLE_FLAG } from "./user_path.ts";

/** The command. */
export const START_COMMAND = {
  name: "deno task start",
  description: [
    "Serves a bundle over HTTP. Ctrl-C finishes the requests in flight.",
    "",
    "Tokens may also stand in CLIP_E_TOKENS, with commas between them. No option takes a token: others",
    "can read command lines. A file of them has to be in the project's folder, which is all that the",
    "task may read. Behind a proxy all requests come from its address; with --trust-proxy they come from",
    "the address at the end of X-Forwarded-For. Use it only where the proxy writes that header.",
  ].join("\n"),
  flags: {
    bundle: BUNDLE_FLAG,
    backend: BACKEND_FLAG,
    digest: {
      kind: "string",
      value: "sha256:HEX",
      env: "CLIP_E_DIGEST",
      help: "Refuse a bundle whose manifest has another digest",
    },
    host: {
      kind: "string",
      value: "ADDRESS",
      default: "127.0.0.1",
      env: "CLIP_E_HOST",
      help: "Where to listen: localhost, 127.0.0.1, 0.0.0.0, ::1 or ::",
    },
    port: {
      kind: "integer",
      default: 8000,
      min: 0,
      max: 65535,
      env: "CLIP_E_PORT",
      help: "0 takes any that is free",
    },
    workers: {
      kind: "integer",
      default: navigator.hardwareConcurrency,
      min: 1,
      env: "CLIP_E_WORKERS",
      help: "Pictures computed at once",
    },
    maxBytes: {
      kind: "integer",
      default: APP_DEFAULTS.maxBytes,
      min: 1,
      env: "CLIP_E_MAX_BYTES",
      help: "The largest upload, in bytes",
    },
    maxBytesInFlight: {
      kind: "integer",
      default: APP_DEFAULTS.maxBytesInFlight,
      min: 1,
      env: "CLIP_E_MAX_BYTES_IN_FLIGHT",
      help: "Bytes of uploads in memory at once; more are answered 503",
    },
    maxPictures: {
      kind: "integer",
      default: APP_DEFAULTS.maxPictures,
      min: 1,
      env: "CLIP_E_MAX_PICTURES",
      help: "The most pictures in one request",
    },
    maxPixels: {
      kind: "integer",
      default: DEFAULT_MAX_PIXELS,
      min: 1,
      env: "CLIP_E_MAX_PIXELS",
      help: "The largest picture, in pixels",
    },
    maxQueue: {
      kind: "integer",
      default: APP_DEFAULTS.maxQueue,
      min: 0,
      env: "CLIP_E_MAX_QUEUE",
      help: "Pictures that may wait; more are answered 503",
    },
    uploadTimeout: {
      kind: "integer",
      default: APP_DEFAULTS.uploadTimeout,
      min: 1,
      env: "CLIP_E_UPLOAD_TIMEOUT",
      help: "How long an upload may take, in milliseconds",
    },
    corsOrigin: {
      kind: "strings",
      value: "ORIGIN",
      env: "CLIP_E_CORS_ORIGIN",
      help: "An origin whose pages may call, or *",
    },
    tokensFile: {
      kind: "string",
      value: "FILE",
      env: "CLIP_E_TOKENS_FILE",
      help: "Answer only callers with a bearer token that is in this file, one to a line",
    },
    rateLimit: {
      kind: "integer",
      min: 1,
      env: "CLIP_E_RATE_LIMIT",
      help: "The most requests of a client address in a minute; more are answered 429",
    },
    trustProxy: {
      kind: "boolean",
      env: "CLIP_E_TRUST_PROXY",
      help: "Count by the address that the nearest proxy saw",
    },
    cacheAnswers: {
      kind: "integer",
      value: "SECONDS",
      min: 1,
      env: "CLIP_E_CACHE_ANSWERS",
      help: "Keep answers in memory for so long, up to 64 MiB of them",
    },
    noBrowser: {
      kind: "boolean",
      env: "CLIP_E_NO_BROWSER",
      help:
        "Give no bundle away: the page then computes here alone, and not in its visitors' browsers",
    },
    log: {
      kind: "string",
      value: "FORMAT",
      default: "none",
      env: "CLIP_E_LOG",
      help: "A line for every request, as text or json, or none",
    },
  },
} as const;

/** What a user chose. */
export type StartOptions = FlagValues<typeof START_COMMAND.flags>;
