/**
 * A bundle's models may keep weights in files of their own, as ONNX's external data: beside the model, under the names that
 * the model knows them by.
 */

import type { Bundle, BundleFile } from "@clip-e/shared";
import type { ExternalData } from "./backend/backend.ts";

/**
 * Reads the weights that lie beside a model.
 *
 * @param bundle that holds them
 * @param model its entry in the manifest
 * @throws {ClipEError} `invalid-bundle`, when one is missing or not the one that the manifest names
 */
export async function readExternalData(
  bundle: Bundle,
  { file, externalData = [] }: { file: BundleFile; externalData?: BundleFile[] | undefined },
): Promise<ExternalData[]> {
  const folder = file.path.slice(0, file.path.lastIndexOf("/") + 1);
  return await Promise.all(externalData.map(async (data) => ({
    path: data.path.slice(folder.length),
    bytes: await bundle.readFile(data),
  })));
}
