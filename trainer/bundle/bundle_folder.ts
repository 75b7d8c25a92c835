/**
 * Bundles on disk, written whole or not at all. Files of the user's own in a bundle's folder stay.
 */

import { dirname, join, resolve } from "node:path";
import {
  type BundleSource,
  filesOf,
  type Manifest,
  MANIFEST_PATH,
  openBundle,
  parseManifest,
} from "@clip-e/shared";
import type { BundleDraft } from "./bundle_draft.ts";
import { TrainerError } from "../errors.ts";

/** A bundle's files, by path relative to it. */
export type BundleFiles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** The files of a folder on disk, which need not be there. */
export function folderSource(folder: string): BundleSource {
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
  await restore(resolve(folder));
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
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { path } of filesOf(bundle.manifest)) {
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
 * Writes a bundle beside its place, then puts it there. What an older bundle in that place does not name is the user's, and
 * goes over to the new one.
 *
 * @param folder the place
 * @param files all of the bundle's
 * @throws {TrainerError} when it cannot be written; the older bundle is then as it was
 */
export async function writeBundleFolder(folder: string, files: BundleFiles): Promise<void> {
  const place = resolve(folder);
  const partial = `${place}.partial`;
  try {
    await restore(place);
    await removeFolder(partial);
    for (const [path, bytes] of files) {
      await Deno.mkdir(dirname(join(partial, path)), { recursive: true });
      await Deno.writeFile(join(partial, path), bytes);
    }
    const named = new Set([...files.keys(), ...await readNames(place)]);
    for await (const path of filesBelow(place)) {
      if (!named.has(path)) await carryOver(join(place, path), join(partial, path));
    }
    await removeFolder(replaced(place));
    await Deno.rename(place, replaced(place)).catch(ignoreMissing);
    await Deno.rename(partial, place);
  } catch (cause) {
    await restore(place);
    await removeFolder(partial);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot write the bundle ${folder}: ${why}`, { cause });
  }
  await removeFolder(replaced(place));
}

/** Where the older bundle is for a moment; not `.old`, a name that people give to copies, for what lies here is removed. */
function replaced(place: string): string {
  return `${place}.replaced`;
}

/** Puts the older bundle back where a run was killed after it took it away. */
async function restore(place: string): Promise<void> {
  const isThere = await Deno.lstat(place).then(() => true, () => false);
  if (!isThere) await Deno.rename(replaced(place), place).catch(ignoreMissing);
}

/** The files that a folder's manifest names, and itself; none where it is not one. */
async function readNames(place: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(place, MANIFEST_PATH)).catch(() => "");
  let manifest: Manifest;
  try {
    manifest = parseManifest(JSON.parse(text));
  } catch {
    return [];
  }
  const { modelCard } = manifest;
  return [
    MANIFEST_PATH,
    ...(modelCard ? [modelCard.path] : []),
    ...filesOf(manifest).map(({ path }) => path),
  ];
}

/** Paths of what lies in a folder and below it, with `/`; none where there is no folder. */
async function* filesBelow(folder: string, prefix = ""): AsyncGenerator<string> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(join(folder, prefix))) {
      if (isDirectory) yield* filesBelow(folder, `${prefix}${name}/`);
      else yield prefix + name;
    }
  } catch (error) {
    ignoreMissing(error);
  }
}

async function carryOver(from: string, to: string): Promise<void> {
  await Deno.mkdir(dirname(to), { recursive: true });
  const { isSymlink } = await Deno.lstat(from);
  if (isSymlink) await Deno.symlink(await Deno.readLink(from), to);
  else await Deno.copyFile(from, to);
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (error instanceof Deno.errors.NotFound) return;
  if (!(error instanceof Deno.errors.NotADirectory)) throw error;
}
