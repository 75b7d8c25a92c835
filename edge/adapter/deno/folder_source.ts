/**
 * Files of a folder on disk: a bundle, or the page.
 */

import type { BundleSource } from "@clip-e/shared";

/**
 * Reads files below a folder.
 *
 * @param folder a path, relative to the working directory, or a `file:` URL
 * @returns a source that is `undefined` for files that do not exist, and throws for those that may not be read
 */
export function folderSource(folder: string | URL): BundleSource {
  const path = folder instanceof URL ? folder.pathname : folder;
  return {
    read: (file) =>
      Deno.readFile(`${path.replace(/\/$/, "")}/${file}`).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }),
  };
}
