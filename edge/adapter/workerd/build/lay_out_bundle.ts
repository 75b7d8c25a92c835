/**
 * A bundle as a Worker takes it: checked, without what neither it nor a browser runs, and large files in parts.
 */

import {
  type Bundle,
  type BundleFile,
  type BundleSource,
  ClipEError,
  filesOf,
  type Manifest,
  MANIFEST_PATH,
  type ManifestEncoder,
  openBundle,
} from "@clip-e/shared";
import { dirname } from "node:path";
import { type MemoryBudget, memoryBudget } from "../memory_budget.ts";
import { type PartList, PARTS_PATH, planParts } from "../parted_files.ts";

/** A bundle that lies where a Worker, or a bucket, is given it from. */
export interface LaidOutBundle {
  /** What it says of itself. */
  readonly manifest: Manifest;
  /** Of the manifest, to be pinned. */
  readonly digest: string;
  /** What it takes in an isolate. */
  readonly budget: MemoryBudget;
  /** Encoders that were left out, since neither the Worker nor a visitor's browser runs them. */
  readonly idle: readonly ManifestEncoder[];
}

/**
 * Checks a bundle, whole, and lays it out.
 *
 * @param source where it is
 * @param out a folder, which is made
 * @param hear is told of parts that are missing, as a bundle's owner may have chosen
 * @throws {ClipEError} `invalid-bundle`, when a file is damaged, no encoder is for WebAssembly, or the models do not fit
 */
export async function layOutBundle(
  source: BundleSource,
  out: string,
  hear: (line: string) => void,
): Promise<LaidOutBundle> {
  const bundle = await openBundle(source);
  const { manifest, digest } = bundle;
  const budget = memoryBudget(manifest);
  const isServed = ({ backends }: ManifestEncoder) =>
    backends.includes("wasm") || backends.includes("webgpu");
  const served = { ...manifest, encoders: manifest.encoders.filter(isServed) };
  for (const file of modelFilesOf(served)) await bundle.readFile(file);
  reportFaults(bundle, hear);

  const { modelCard } = manifest;
  const named = [...filesOf(served), ...(modelCard ? [modelCard] : [])];
  const parts: Record<string, PartList[string]> = {};
  for (const path of [MANIFEST_PATH, ...named.map(({ path }) => path)]) {
    const bytes = await source.read(path);
    // A head may be missing: its methods are then not served.
    if (!bytes) continue;
    const list = await writeInParts(out, path, bytes);
    if (list) parts[path] = list;
  }
  await Deno.writeTextFile(`${out}/${PARTS_PATH}`, JSON.stringify(parts, undefined, 2) + "\n");
  return { manifest, digest, budget, idle: manifest.encoders.filter((one) => !isServed(one)) };
}

/** What may not be missing, and was not looked at when the bundle was opened. */
function modelFilesOf({ encoders, textEncoder }: Manifest): BundleFile[] {
  return [
    ...[...encoders, ...(textEncoder ? [textEncoder] : [])]
      .flatMap(({ file, externalData = [] }) => [file, ...externalData]),
    ...(textEncoder ? [textEncoder.tokenizer, textEncoder.tokenizerConfig] : []),
  ];
}

/** Heads and prompts may be missing, but not damaged. */
function reportFaults({ faults }: Bundle, hear: (line: string) => void): void {
  for (const { part, fault, detail } of faults) {
    if (fault === "invalid") throw new ClipEError("invalid-bundle", `${part}: ${detail}`);
    hear(`${fault} ${part}: ${detail}`);
  }
}

/**
 * Writes a file, in parts where it is large.
 *
 * @returns the parts, if any
 */
async function writeInParts(
  out: string,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<PartList[string] | undefined> {
  await Deno.mkdir(dirname(`${out}/${path}`), { recursive: true });
  const parts = planParts(path, bytes.length);
  if (parts.length === 0) {
    await Deno.writeFile(`${out}/${path}`, bytes);
    return undefined;
  }
  for (const { path, start, end } of parts) {
    await Deno.writeFile(`${out}/${path}`, bytes.subarray(start, end));
  }
  return { bytes: bytes.length, parts: parts.map(({ path }) => path) };
}
