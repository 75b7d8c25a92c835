/**
 * Static assets, which are deployed with the Worker.
 */

import type { Store } from "./parted_files.ts";

/** The binding of static assets. */
export interface Assets {
  /** Gives an asset by its URL's path. */
  fetch(url: URL): Promise<Response>;
}

/**
 * Files below a folder of the static assets.
 *
 * @param assets the binding
 * @param folder ends with a slash
 */
export function assetStore(assets: Assets, folder: string): Store {
  return async (path) => {
    const response = await assets.fetch(new URL(folder + path, "https://assets.invalid/"));
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw new Error(`Cannot read the asset ${path}: ${response.status}`);
  };
}
