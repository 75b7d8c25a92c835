/**
 * ONNX models on disk, with the weights that lie beside them. Weights are read when they are wanted, and files are written
 * whole or not at all.
 */

import { basename, dirname, join } from "node:path";
import { TrainerError } from "./errors.ts";
import { externalDataPaths } from "./encoder/external_data.ts";
import {
  layOutModel,
  type LayoutOptions,
  MAX_MODEL_BYTES,
  type ModelLayout,
  type OnnxModel,
  readModel,
} from "./quantize/mod.ts";

/** A model that is open. */
export interface ModelFile {
  readonly model: OnnxModel;
  /** Its file, and those beside it that hold its weights. */
  readonly paths: readonly string[];
  /** Closes the files of weights. */
  close(): void;
}

/**
 * Opens a model.
 *
 * @param path of the `.onnx` file
 * @throws {TrainerError} when it cannot be read, is damaged, or names weights outside its folder
 */
export async function openModelFile(path: string): Promise<ModelFile> {
  const bytes = await readWhole(path);
  const proto = readModel(bytes, path);
  const locations = externalDataPaths(proto, path);
  const folder = dirname(path);
  const open = new Map<string, Deno.FsFile>();
  return {
    model: {
      proto,
      external: {
        async read(location, offset, length) {
          const place = join(folder, location);
          try {
            const file = open.get(place) ?? await Deno.open(place);
            open.set(place, file);
            return await readPart(file, offset, length);
          } catch (cause) {
            throw unreadable(place, cause);
          }
        },
      },
    },
    paths: [path, ...locations.map((location) => join(folder, location))],
    close: () => open.forEach((file) => file.close()),
  };
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    using file = await Deno.open(path);
    const { size } = await file.stat();
    if (size > MAX_MODEL_BYTES) {
      throw new Error(
        `it has ${size} bytes, and ONNX files end at 2 GB; export it with its weights beside it`,
      );
    }
    // Not readFile(), which holds what it read twice for a moment.
    return await readPart(file, 0, size);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function readPart(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) throw new Error(`it ends before byte ${offset + length}`);
    at += count;
  }
  return bytes;
}

function unreadable(path: string, cause: unknown): TrainerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TrainerError(`Cannot read ${path}: ${why}`, { cause });
}

/** What the file is called that holds a model's weights. */
export function dataPathOf(path: string): string {
  return `${path}_data`;
}

/**
 * Writes a model beside its place, then puts it there.
 *
 * @param path of the `.onnx` file
 * @param options where its weights go
 * @returns how it was laid out
 * @throws {TrainerError} when it cannot be written; what was there is then as it was
 */
export async function writeModelFile(
  path: string,
  model: OnnxModel,
  options: Pick<LayoutOptions, "isSplit" | "maxBytes"> = {},
): Promise<ModelLayout> {
  const dataPath = dataPathOf(path);
  const layout = layOutModel(model, { ...options, dataLocation: basename(dataPath) });
  const partial = `${path}.partial`;
  const dataPartial = `${dataPath}.partial`;
  try {
    await Deno.writeFile(partial, ReadableStream.from(layout.model()));
    if (layout.dataBytes > 0) {
      await Deno.writeFile(dataPartial, ReadableStream.from(layout.data()));
      // An older model must not meet newer weights, not even for a moment.
      await remove(path);
      await Deno.rename(dataPartial, dataPath);
    }
    await Deno.rename(partial, path);
    return layout;
  } catch (cause) {
    await remove(partial);
    await remove(dataPartial);
    if (cause instanceof TrainerError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot write ${path}: ${why}`, { cause });
  }
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
