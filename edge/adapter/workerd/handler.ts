/**
 * The edge on workerd: bundle and page from static assets or a bucket, inference in the isolate itself, opened by the first
 * request.
 */

import { type BundleSource, MANIFEST_PATH, readManifest } from "@clip-e/shared";
import { createApp, type EdgeApp } from "../../app/app.ts";
import { createLazyApp } from "../../app/lazy_app.ts";
import { createClassifier } from "../../classifier.ts";
import { createDecoders } from "../../decode/decoders.ts";
import { decodePicture } from "../../decode/decode_picture.ts";
import type { PictureType } from "../../decode/picture_header.ts";
import { describeFaults } from "../../fault_notes.ts";
import { assetStore } from "./asset_store.ts";
import { bundleSource, type Env, envOptions, isBrowserOn, maxPixelsOf } from "./env.ts";
import { type MemoryBudget, memoryBudget } from "./memory_budget.ts";
import { withOrtModule } from "./ort_module.ts";
import { withKnownLength } from "./known_length.ts";
import { wholeFiles } from "./parted_files.ts";

export type { Env } from "./env.ts";

/** Compiled modules: ONNX Runtime's, and one of each decoder. */
export type WasmModules = Readonly<Record<"ort" | PictureType, WebAssembly.Module>>;

/** What the platform gives with each request. */
export interface RequestContext {
  /** Keeps the request's work alive when its caller has gone. */
  waitUntil(promise: Promise<unknown>): void;
}

/** A Worker's default export. */
export interface WorkerHandler {
  /** Answers a request. */
  fetch(request: Request, env: Env, context?: RequestContext): Promise<Response>;
}

/** Pictures that may wait: one is computed at a time, and each wait costs its upload's memory. */
const MAX_QUEUE = 8;

/**
 * Makes a Worker's default export.
 *
 * @param modules compiled by the platform
 */
export function createHandler(modules: WasmModules): WorkerHandler {
  let app: EdgeApp | undefined;
  return {
    async fetch(request, env, context) {
      app ??= createLazyApp(() => openApp(modules, env), (error) => console.error(error));
      const answer = Promise.resolve(app.fetch(request));
      // All requests wait for the one that opens the bundle, and pictures for those before them: were a request's work dropped
      // in the middle, as the platform may when its caller hangs up, those behind it would wait for ever.
      context?.waitUntil(answer);
      return withKnownLength(await answer);
    },
  };
}

async function openApp(modules: WasmModules, env: Env): Promise<EdgeApp> {
  const options = envOptions(env);
  const bundle = rememberManifest(bundleSource(env));
  const pin = env.BUNDLE_DIGEST === undefined ? {} : { digest: env.BUNDLE_DIGEST };
  const budget = memoryBudget((await readManifest(bundle, pin)).manifest);
  const { maxBytes, maxBytesInFlight } = budget;
  const maxPixels = maxPixelsOf(env, budget.maxPixels);
  const decoders = makeDecoders(modules, budget);
  const classifier = await withOrtModule(modules.ort, () =>
    createClassifier({
      ...pin,
      bundle,
      maxPixels,
      decode: (picture, maxPixels) => decodePicture(picture, decoders, maxPixels),
    }));
  for (const line of describeFaults(classifier.model)) console.warn(line);
  return createApp(classifier, {
    ...options,
    maxBytes,
    maxBytesInFlight,
    maxQueue: MAX_QUEUE,
    page: wholeFiles(assetStore(env.ASSETS, "page/")),
    ...(isBrowserOn(env) && { bundle, browser: wholeFiles(assetStore(env.ASSETS, "browser/")) }),
    onError: (error) => console.error(error),
  });
}

/** Decoders that leave memory to the model. */
function makeDecoders({ jpeg, png, webp }: WasmModules, { maxPixels, keepBytes }: MemoryBudget) {
  return createDecoders({
    jpeg: () => Promise.resolve(jpeg),
    png: () => Promise.resolve(png),
    webp: () => Promise.resolve(webp),
  }, { keepPixels: maxPixels, keepBytes });
}

/** The manifest is read for the budget, and again with the bundle. */
function rememberManifest(source: BundleSource): BundleSource {
  const manifest = source.read(MANIFEST_PATH);
  return {
    ...source,
    read: (path) => path === MANIFEST_PATH ? manifest : source.read(path),
  };
}
