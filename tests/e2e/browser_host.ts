/**
 * A host of a page that classifies by itself: scripts that are bundled for the browser, WebAssembly beside them
 * and below `wasm/`, a bundle. All of it is there once more below `gzip/`, compressed, and below `slow/`, where it
 * never ends.
 */

import { WASM_FILES, WASM_PACKAGES } from "../../edge/wasm_files.ts";
import type { BundleFiles } from "../synthetic_bundle.ts";
import { bundleScripts } from "./bundle_scripts.ts";

/** The strictest policy that a page needs, with bundles of any host on this machine. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; " +
  "connect-src 'self' http://127.0.0.1:*";

/** A running host. */
export interface BrowserHost {
  /** With a slash at the end. `page` has nothing on it, `browser.js` and `worker.js` are the scripts. */
  readonly url: string;
  /** Paths that were asked for, until they are taken out. */
  readonly asked: string[];
  /** Paths whose downloads were given up, until they are taken out. */
  readonly dropped: string[];
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
  for (const [name, file] of Object.entries(WASM_FILES)) {
    const folder = WASM_PACKAGES[name as keyof typeof WASM_FILES];
    const bytes = await Deno.readFile(new URL(import.meta.resolve(`${folder}/${file}`)));
    files.set(file, bytes).set(`wasm/${file}`, bytes);
  }
  for (const [path, bytes] of bundle) files.set(`bundle/${path}`, bytes);
  for (const [name, bytes] of pictures) files.set(`pictures/${name}`, bytes);
  for (const [name, bytes] of others) files.set(name, bytes);
  files.set("page", new TextEncoder().encode("<!doctype html><title>Test</title>"));
  const asked: string[] = [];
  const dropped: string[] = [];

  /** Half of a file, and then so little at a time that it never ends, and that a visitor who left is noticed. */
  function crawl(path: string, bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
    let sent = Math.floor(bytes.length / 2);
    return new ReadableStream({
      start: (controller) => controller.enqueue(bytes.subarray(0, sent)),
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        controller.enqueue(bytes.subarray(sent, ++sent));
      },
      cancel: () => void dropped.push(path),
    });
  }

  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const path = new URL(request.url).pathname.slice(1);
    if (path === "favicon.ico") return new Response(null, { status: 204 });
    asked.push(path);
    const kind = path.match(/^(gzip|slow)\//)?.[1];
    const file = kind === undefined ? path : path.slice(kind.length + 1);
    const bytes = files.get(file);
    if (!bytes) return new Response("not here", { status: 404 });
    const type = path === "page" ? "text/html" : path.endsWith(".js") ? "text/javascript" : "";
    const headers = {
      "Content-Security-Policy": POLICY,
      ...(type !== "" && { "Content-Type": type }),
    };
    if (kind === "gzip") {
      const body = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
      return new Response(body, { headers: { ...headers, "Content-Encoding": "gzip" } });
    }
    const isSlow = kind === "slow" && !file.endsWith("manifest.json");
    return new Response(isSlow ? crawl(path, bytes) : bytes, { headers });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    asked,
    dropped,
    stop: () => server.shutdown(),
  };
}
