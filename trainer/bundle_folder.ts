/**
 * Bundles on disk, written whole or not at all.
 */

import { type BundleSource, MANIFEST_PATH, openBundle } from "@clip-e/shared";
import type { BundleDraft } from "./bundle_draft.ts";
import { TrainerError } from "./errors.ts";

/** A bundle's files, by path relative to it. */
export type BundleFiles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

function folderSource(folder: string): BundleSource {
  return {
    read: (path) =>
      Deno.readFile(`${folder}/${path}`).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return undefined;
        if (error instanceof Deno.errors.NotADirectory) return undefined;
        throw error;
      }),
  };
}

/**
 * Reads the bundle that a folder holds, to be added to.
 *
 * @param folder that may not exist
 * @returns the bundle, or `undefined` when there is no folder or nothing in it
 * @throws {TrainerError} when the folder holds something else
 * @throws {ClipEError} when the bundle is damaged
 */
export async function readBundleFolder(folder: string): Promise<BundleDraft | undefined> {
  const source = folderSource(folder);
  if (!await source.read(MANIFEST_PATH)) {
    if (await isEmpty(folder)) return undefined;
    throw new TrainerError(
      `Cannot write a bundle to ${folder}: it holds other files. Name a new folder`,
    );
  }
  const bundle = await openBundle(source);
  const [fault] = bundle.faults;
  if (fault) {
    throw new TrainerError(`Cannot add to the bundle ${folder}: ${fault.part}: ${fault.detail}`);
  }
  const { encoders, golden, heads, prompts } = bundle.manifest;
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { file: { path } } of [golden, ...encoders, ...heads, ...prompts]) {
    const bytes = await source.read(path);
    if (bytes) files.set(path, bytes);
  }
  return { manifest: bundle.manifest, files };
}

async function isEmpty(folder: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(folder)) return false;
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    if (error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/**
 * Writes a bundle beside its place, then puts it there.
 *
 * @param folder replaced when it exists
 * @param files all of them
 */
export async function writeBundleFolder(folder: string, files: BundleFiles): Promise<void> {
  const place = folder.replace(/\/+$/, "");
  const partial = `${place}.partial`;
  const old = `${place}.old`;
  await removeFolder(partial);
  try {
    for (const [path, bytes] of files) {
      const target = `${partial}/${path}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(target, bytes);
    }
  } catch (cause) {
    await removeFolder(partial);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot write the bundle ${folder}: ${why}`, { cause });
  }
  await removeFolder(old);
  await Deno.rename(place, old).catch(ignoreMissing);
  await Deno.rename(partial, place);
  await removeFolder(old);
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
