/**
 * Training that was cut off goes on where it was: after an epoch, all that the next one depends on is written to two files.
 * The first, JSON, names the second, safetensors, which lies beside it; it is written last and put in place by renaming, so
 * whenever the work is cut off, what it names is there and whole.
 */

import { readSafetensors, sha256, type Tensor, writeSafetensors } from "@clip-e/shared";
import { basename, dirname, join } from "node:path";
import { TrainerError } from "../errors.ts";
import type { Epoch } from "./fit_options.ts";

/** Where the work is saved. */
export interface CheckpointOptions {
  /** The JSON file, such as `heads/contrastive.json`. Its folder is made. A finished run leaves it there. */
  readonly path: string;
  /** Saved after so many epochs, and after the last; 1 by default. */
  readonly everyEpochs?: number;
  /** But not before so many seconds have passed, as short epochs would be mostly saving; 0 by default. */
  readonly everySeconds?: number;
}

/** All that the next epoch depends on. */
export interface Checkpoint {
  /** Every epoch so far, in order. */
  readonly history: readonly Epoch[];
  /** The epoch of the best weights. */
  readonly bestEpoch: number;
  /** Weights, the best weights, and Adam's averages, by name. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** The JSON file. */
interface Index {
  /** Of this layout. */
  readonly format: 1;
  /** Of data and options. */
  readonly fingerprint: string;
  readonly history: readonly Epoch[];
  readonly bestEpoch: number;
  /** The other file's name, and SHA-256. */
  readonly tensors: { readonly file: string; readonly sha256: string };
}

/**
 * Saves the work.
 *
 * @param path the JSON file
 * @param fingerprint of data and options
 * @param checkpoint the work
 */
export async function saveCheckpoint(
  path: string,
  fingerprint: string,
  { history, bestEpoch, tensors }: Checkpoint,
): Promise<void> {
  const folder = dirname(path);
  await Deno.mkdir(folder, { recursive: true });
  const prefix = `${basename(path)}.`;
  const file = `${prefix}${history.length}.safetensors`;
  const bytes = writeSafetensors(tensors);
  const index: Index = {
    format: 1,
    fingerprint,
    history,
    bestEpoch,
    tensors: { file, sha256: await sha256(bytes) },
  };
  await writeWhole(join(folder, file), bytes);
  await writeWhole(path, new TextEncoder().encode(JSON.stringify(index)));
  for await (const { name } of Deno.readDir(folder)) {
    const old = name.startsWith(prefix) && name.endsWith(".safetensors") && name !== file;
    if (old) await Deno.remove(join(folder, name));
  }
}

/**
 * Reads saved work.
 *
 * @param path the JSON file
 * @param fingerprint of data and options
 * @returns nothing where nothing was saved
 * @throws {TrainerError} when it was saved of other data or with other options, or is damaged
 */
export async function loadCheckpoint(
  path: string,
  fingerprint: string,
): Promise<Checkpoint | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const refuse = (why: string, cause?: unknown): TrainerError =>
    new TrainerError(
      `Cannot go on with the training saved in ${path}: ${why}. Delete it, or save elsewhere`,
      { cause },
    );
  const index = parseIndex(text);
  if (!index) throw refuse("it is not a checkpoint of this version");
  if (index.fingerprint !== fingerprint) {
    throw refuse("it was of other data or other options");
  }
  const { history, bestEpoch, tensors: { file, sha256: digest } } = index;
  try {
    const bytes = await Deno.readFile(join(dirname(path), file));
    if (await sha256(bytes) !== digest) throw new Error(`the bytes of ${file} have changed`);
    return { history, bestEpoch, tensors: Object.fromEntries(readSafetensors(bytes)) };
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function parseIndex(text: string): Index | undefined {
  try {
    const index: unknown = JSON.parse(text);
    if (typeof index !== "object" || index === null) return undefined;
    return (index as Partial<Index>).format === 1 ? index as Index : undefined;
  } catch {
    return undefined;
  }
}

/** Puts a file in place once all of it is on the disk. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.part`;
  using file = await Deno.open(part, { write: true, create: true, truncate: true });
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  await file.syncData();
  await Deno.rename(part, path);
}
