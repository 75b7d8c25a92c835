/**
 * Weights that lie beside an ONNX model, in files that it names: how models above 2 GB are kept, and many smaller ones.
 */

import type { ModelProto } from "onnx-buf";
import { dirname, isAbsolute, join } from "node:path";
import { TrainerError } from "../errors.ts";
import { readModel } from "../quantize/mod.ts";

/** A file of weights. */
export interface ExternalData {
  /** What the model calls it: its path from the model's folder. */
  readonly path: string;
  /** Its content. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The files of weights that a model names.
 *
 * @param model read
 * @param name of the model, for errors
 * @returns paths from its folder
 * @throws {TrainerError} when one lies outside its folder: somebody else's file would say what is read
 */
export function externalDataPaths({ graph }: ModelProto, name: string): string[] {
  const paths = new Set(
    graph?.initializer.flatMap(({ externalData }) =>
      externalData.filter(({ key }) => key === "location").map(({ value }) => value)
    ),
  );
  for (const path of paths) {
    if (isAbsolute(path) || path.split(/[\\/]/).includes("..")) {
      throw new TrainerError(`Cannot read ${name}: its weights lie outside its folder, in ${path}`);
    }
  }
  return [...paths];
}

/**
 * Reads the weights beside a model.
 *
 * @param path of the model's file
 * @param model its bytes
 * @throws {TrainerError} when one cannot be read, or lies elsewhere
 */
export async function readExternalData(
  path: string,
  model: Uint8Array<ArrayBuffer>,
): Promise<ExternalData[]> {
  const paths = externalDataPaths(readModel(model, path), path);
  return await Promise.all(paths.map(async (data) => {
    const file = join(dirname(path), data);
    const bytes = await Deno.readFile(file).catch((cause) => {
      throw new TrainerError(
        `Cannot read the weights ${file}, which ${path} names: ${cause.message}`,
        { cause },
      );
    });
    return { path: data, bytes };
  }));
}
