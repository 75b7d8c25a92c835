/**
 * A host of a page that classifies by itself: scripts that are bundled for the browser, WebAssembly beside them
 * and below `wasm/`, a bundle.
 */

import type { BundleFiles } from "../synthetic_bundle.ts";
import { bundleScripts } from "./bundle_scripts.ts";

/** What a page serves of WebAssembly, and where it comes from. */
const WASM: Readonly<Record<string, string>> = {
  "ort-wasm-simd-threaded.wasm": "onnxruntime-web/ort-wasm-simd-threaded.wasm",
  "mozjpeg_dec.wasm": "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm",
  "squoosh_png_bg.wasm": "@jsquash/png/codec/pkg/squoosh_png_bg.wasm",
  "webp_dec.wasm": "@jsquash/webp/codec/dec/webp_dec.wasm",
};

/** The strictest policy that a page needs, with bundles of any host on this machine. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; " +
  "connect-src 'self' http://127.0.0.1:*";

/** A running host. */
export interface BrowserHost {
  /** With a slash at the end. `page` has nothing on it, `browser.js` and `worker.js` are the scripts. */
  readonly url: string;
  /** Paths that were asked for, until they are taken out. */
  readonly asked: string[];
  /** Ends it. */
  stop(): Promise<void>;
}

/**
 * Starts a host.
 *
 * @param bundle served below `bundle/`
 * @param pictures served below `pictures/`
 * @param others served beside the scripts, or in their place
 */
export async function startBrowserHost(
  bundle: BundleFiles,
  pictures: BundleFiles,
  others: BundleFiles = new Map(),
): Promise<BrowserHost> {
  const files = await bundleScripts({
    "browser.js": "edge/adapter/browser/mod.ts",
    "worker.js": "edge/adapter/browser/worker.ts",
  });
  for (const [name, specifier] of Object.entries(WASM)) {
    const bytes = await Deno.readFile(new URL(import.meta.resolve(specifier)));
    files.set(name, bytes).set(`wasm/${name}`, bytes);
  }
  for (const [path, bytes] of bundle) files.set(`bundle/${path}`, bytes);
  for (const [name, bytes] of pictures) files.set(`pictures/${name}`, bytes);
  for (const [name, bytes] of others) files.set(name, bytes);
  files.set("page", new TextEncoder().encode("<!doctype html><title>Test</title>"));
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const path = new URL(request.url).pathname.slice(1);
    if (path === "favicon.ico") return new Response(null, { status: 204 });
    asked.push(path);
    const bytes = files.get(path);
    if (!bytes) return new Response("not here", { status: 404 });
    const type = path === "page" ? "text/html" : path.endsWith(".js") ? "text/javascript" : "";
    return new Response(bytes, {
      headers: {
        "Content-Security-Policy": POLICY,
        ...(type !== "" && { "Content-Type": type }),
      },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    asked,
    stop: () => server.shutdown(),
  };
}
