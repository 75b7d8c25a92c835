/**
 * Files of a folder on disk: a bundle, or the page.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import { fileURLToPath } from "node:url";

/**
 * Reads files below a folder.
 *
 * @param folder a path, relative to the working directory, or a `file:` URL
 * @returns a source that has nothing for files that do not exist, and throws for those that may not be read
 */
export function folderSource(folder: string | URL): BundleSource {
  const location = (folder instanceof URL ? fileURLToPath(folder) : folder).replace(/\/$/, "");
  const explain = (file: string) => (error: unknown) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined;
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new ClipEError(
      "invalid-bundle",
      `Cannot read ${location}/${file}: this process may not. Put the folder below the one that it may read, ` +
        "or grant it with --allow-read",
      { cause: error },
    );
  };
  return {
    location,
    read: (file) => Deno.readFile(`${location}/${file}`).catch(explain(file)),
    async stream(file, start) {
      const opened = await Deno.open(`${location}/${file}`).catch(explain(file));
      if (start > 0) await opened?.seek(start, Deno.SeekMode.Start);
      return opened?.readable;
    },
  };
}
