// @ts-check
/// <reference lib="dom" />
/**
 * What browser mode will download, so that its progress can be drawn: the lengths that the server
 * and the bundle's manifest state.
 *
 * @module
 */

import { call } from "./call.js";
import { sumDownload } from "./download_sum.js";

/** @import { Download, FileProgress, Lengths } from "./download_sum.js" */

/**
 * @typedef {import("@clip-e/shared").Manifest} Manifest
 * @typedef {import("@clip-e/shared").BundleFile} ManifestFile
 */

/** The runtimes, of which one is needed. Decoders come with the first picture of their type. */
const RUNTIMES = ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"];

/**
 * The lengths of the files that browser mode needs beside a bundle, or nothing where there is none.
 *
 * @returns {Promise<Lengths | undefined>}
 */
export async function readFileLengths() {
  try {
    const response = await fetch("./browser/files.json", { cache: "no-cache" });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Follows the download of the scripts, the runtime and the bundle.
 *
 * @param {Lengths} files beside the bundle
 * @param {AbortSignal} signal
 * @returns {Promise<(progress?: FileProgress) => Download>} what is here, with what has just come
 */
export async function followDownload(files, signal) {
  const lengths = { ...files };
  /** @param {ManifestFile} file */
  const take = ({ path, bytes }) => {
    lengths[path] = { bytes };
    return path;
  };
  const { encoders = [], golden, heads = [], prompts = [], modelCard } = await readManifest(signal);
  // WebAssembly's variants first: it is what most browsers end with.
  const byWasm = encoders.toSorted((a, b) => rank(a.backends) - rank(b.backends));
  const others = [golden, ...heads, ...prompts].flatMap((part) => part ? [take(part.file)] : []);
  if (modelCard) others.push(take(modelCard));
  return sumDownload(lengths, [RUNTIMES, byWasm.map(({ file }) => take(file))], others);
}

/** @param {readonly string[]} backends */
function rank(backends) {
  return backends.includes("wasm") ? 0 : 1;
}

/**
 * The bundle's manifest, or nothing where it cannot be had: opening the bundle then says why, or
 * does without, as the browser may have it.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<Partial<Manifest>>}
 */
async function readManifest(signal) {
  try {
    const response = await call("./v1/bundle/manifest.json", { signal });
    return response.ok ? await response.json() : {};
  } catch {
    signal.throwIfAborted();
    return {};
  }
}
