/**
 * What a Worker's configuration binds, and what it means for the app.
 */

import type { BundleSource } from "@clip-e/shared";
import { checkOrigins } from "../../app/allow_origins.ts";
import type { AppOptions } from "../../app/app.ts";
import { clientNetwork } from "../../app/client_network.ts";
import { formatRecord } from "../../app/request_log.ts";
import { parseTokens } from "../../app/require_token.ts";
import { type Assets, assetStore } from "./asset_store.ts";
import { type Bucket, bucketStore } from "./bucket_store.ts";
import { partedFiles } from "./parted_files.ts";

/** The binding of a rate limit. */
export interface RateLimiter {
  /** Says of a key whether it has calls left, and counts one. */
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** Bindings, variables and secrets. */
export interface Env {
  /** Static assets: the page under `page/`, a bundle under `bundle/`, what pages compute with under `browser/`. */
  readonly ASSETS: Assets;
  /** A bucket that holds the bundle, in place of the static assets. */
  readonly BUNDLE_BUCKET?: Bucket;
  /** Where in the bucket it is: a folder; by default at the root. */
  readonly BUNDLE_PREFIX?: string;
  /** The expected digest of the bundle's manifest, `sha256:...`; `worker:build` writes it for static assets. */
  readonly BUNDLE_DIGEST?: string;
  /** A lower limit on pictures, in pixels, than the one that the model's memory leaves. */
  readonly MAX_PIXELS?: string | number;
  /** A secret: bearer tokens, separated by commas or white space. Without it, the API is open. */
  readonly TOKENS?: string;
  /** Origins whose pages may call, separated by commas or white space, or `*`. */
  readonly CORS_ORIGINS?: string;
  /** Counts what each caller asks. */
  readonly RATE_LIMITER?: RateLimiter;
  /** For how many seconds answers are kept in the data centre's cache; none by default. */
  readonly ANSWER_CACHE_TTL?: string | number;
  /** `true` gives no bundle away: the page then computes in the Worker alone, and not in its visitors' browsers. */
  readonly NO_BROWSER?: string | boolean;
  /** `requests` writes a line of JSON for each. */
  readonly LOG?: string;
}

/**
 * Where the bundle is. In static assets with a pinned manifest, lengths are enough: the build checked the hashes, and what
 * was deployed does not change. A bucket's objects may, so that they are checked in full.
 *
 * @param env of the Worker
 */
export function bundleSource(env: Env): BundleSource {
  const { ASSETS, BUNDLE_BUCKET, BUNDLE_PREFIX = "", BUNDLE_DIGEST } = env;
  if (BUNDLE_BUCKET) {
    return { location: "the bucket", ...partedFiles(bucketStore(BUNDLE_BUCKET, BUNDLE_PREFIX)) };
  }
  return {
    location: "the static assets",
    isVerified: BUNDLE_DIGEST !== undefined,
    ...partedFiles(assetStore(ASSETS, "bundle/")),
  };
}

/**
 * What the environment says of the app.
 *
 * @param env of the Worker
 * @throws {TypeError} when a value cannot be used: a Worker that was meant to be closed must not be open
 */
export function envOptions(env: Env): AppOptions {
  const { TOKENS, CORS_ORIGINS = "", RATE_LIMITER, ANSWER_CACHE_TTL = 0, LOG = "" } = env;
  const origins = checkOrigins(words(CORS_ORIGINS));
  const ttl = Number(ANSWER_CACHE_TTL);
  if (!Number.isSafeInteger(ttl) || ttl < 0) {
    throw new TypeError("Cannot serve: ANSWER_CACHE_TTL must be a whole number of seconds");
  }
  if (LOG !== "" && LOG !== "requests") {
    throw new TypeError("Cannot serve: LOG must be requests, or left out");
  }
  return {
    ...(TOKENS !== undefined && { tokens: parseTokens(words(TOKENS).join()) }),
    ...(origins.length > 0 && { corsOrigin: origins }),
    ...(RATE_LIMITER && { rateLimit: limitCallers(RATE_LIMITER) }),
    ...(ttl > 0 && { answerCache: edgeCache(ttl) }),
    ...(LOG === "requests" && {
      onRequest: (record) => console.log(formatRecord(record, "json")),
    }),
  };
}

/**
 * The largest picture, in pixels.
 *
 * @param env of the Worker
 * @param most what the model's memory leaves
 * @throws {TypeError} when the value cannot be used
 */
export function maxPixelsOf({ MAX_PIXELS }: Env, most: number): number {
  const pixels = Number(MAX_PIXELS ?? most);
  if (Number.isSafeInteger(pixels) && pixels > 0) return Math.min(pixels, most);
  throw new TypeError("Cannot serve: MAX_PIXELS must be a whole number above 0");
}

/**
 * Whether the page may compute in its visitors' browsers, for which they get the bundle.
 *
 * @param env of the Worker
 * @throws {TypeError} when the value cannot be used: weights that were not to be given away must not be
 */
export function isBrowserOn({ NO_BROWSER = false }: Env): boolean {
  if (["true", "false"].includes(String(NO_BROWSER))) return String(NO_BROWSER) === "false";
  throw new TypeError("Cannot serve: NO_BROWSER must be true or false, or left out");
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== "");

/** Counts by the address that the platform saw, which callers cannot choose. */
function limitCallers(limiter: RateLimiter): NonNullable<AppOptions["rateLimit"]> {
  return async ({ headers }) => {
    const key = clientNetwork(headers.get("CF-Connecting-IP") ?? "");
    return (await limiter.limit({ key })).success;
  };
}

/** The data centre's cache, which other runtimes do not have. */
function edgeCache(ttl: number): NonNullable<AppOptions["answerCache"]> {
  const { default: cache } = caches as CacheStorage & { readonly default: Cache };
  return {
    ttl,
    match: (key) => cache.match(key),
    put: (key, response) => cache.put(key, response),
  };
}
