/**
 * The edge on workerd: bundle and page from static assets, inference in the isolate itself, opened by the first request.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import { createApp, type EdgeApp } from "../../app/app.ts";
import { toProblem } from "../../app/problem.ts";
import { createClassifier } from "../../classifier.ts";
import type { PictureType } from "../../decode/picture_header.ts";
import { describeFaults } from "../../fault_notes.ts";
import { withOrtModule } from "./ort_module.ts";

/** Compiled modules: ONNX Runtime's, and one of each decoder. */
export type WasmModules = Readonly<Record<"ort" | PictureType, WebAssembly.Module>>;

/** What the configuration binds. */
export interface Env {
  /** Static assets: the page at the root, the bundle's files under `bundle/`. */
  readonly ASSETS: { fetch(url: URL): Promise<Response> };
  /** Optional: the expected digest of the bundle's manifest, `sha256:...`. */
  readonly BUNDLE_DIGEST?: string;
}

/** A Worker's default export. */
export interface WorkerHandler {
  /** Answers a request. */
  fetch(request: Request, env: Env): Promise<Response>;
}

/**
 * An isolate has 128 MB. A decoded picture takes 4 bytes a pixel in WebAssembly and as many outside, a progressive JPEG
 * up to 6 more; the runtime and a small model take 20 MB or more.
 */
const LIMITS = {
  maxPixels: 6_000_000,
  maxBytes: 10 * 1024 * 1024,
  maxBytesInFlight: 20 * 1024 * 1024,
  maxQueue: 8,
} as const;

/**
 * Makes a Worker's default export.
 *
 * @param modules compiled by the platform
 */
export function createHandler(modules: WasmModules): WorkerHandler {
  let app: Promise<EdgeApp> | undefined;
  return {
    async fetch(request, env) {
      // Whether it answers does not depend on the bundle.
      if (new URL(request.url).pathname === "/healthz") return new Response("ok");
      app ??= openApp(modules, env);
      try {
        return await (await app).fetch(request);
      } catch (error) {
        // The next request tries again: an asset may have failed to load this once.
        app = undefined;
        console.error(error);
        const problem = toProblem(
          error instanceof ClipEError
            ? error
            : new ClipEError("internal", "The classifier did not start"),
        );
        return Response.json(problem, {
          status: problem.status,
          headers: { "Content-Type": "application/problem+json", "Retry-After": "1" },
        });
      }
    },
  };
}

async function openApp(modules: WasmModules, env: Env): Promise<EdgeApp> {
  const { ort, jpeg, png, webp } = modules;
  const classifier = await withOrtModule(ort, () =>
    createClassifier({
      bundle: assetSource(env, "bundle/"),
      maxPixels: LIMITS.maxPixels,
      decoders: {
        jpeg: () => Promise.resolve(jpeg),
        png: () => Promise.resolve(png),
        webp: () => Promise.resolve(webp),
      },
      ...(env.BUNDLE_DIGEST !== undefined && { digest: env.BUNDLE_DIGEST }),
    }));
  for (const line of describeFaults(classifier.model)) console.warn(line);
  return createApp(classifier, {
    ...LIMITS,
    page: assetSource(env, "page/"),
    onError: (error) => console.error(error),
  });
}

/** Files below a folder of the static assets. */
function assetSource({ ASSETS }: Env, folder: string): BundleSource {
  return {
    async read(path) {
      const response = await ASSETS.fetch(new URL(folder + path, "https://assets.invalid/"));
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`Cannot read the asset ${path}: ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}
