/**
 * Files of a folder on disk.
 */

import type { BundleSource } from "@clip-e/shared";
import { open, readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** What reading says of a file that is not there. */
const ABSENT: readonly unknown[] = ["ENOENT", "ENOTDIR"];

/**
 * Reads files below a folder.
 *
 * @param folder a path, relative to the working directory, or a `file:` URL
 * @returns a source that has nothing for files that do not exist, and throws for those that may not be read
 */
export function folderSource(folder: string | URL): BundleSource {
  const location = (folder instanceof URL ? fileURLToPath(folder) : folder).replace(/\/$/, "");
  return {
    location,
    async read(file) {
      const bytes = await readFile(`${location}/${file}`).catch(refuseUnlessAbsent);
      return bytes && new Uint8Array(bytes);
    },
    async stream(file, start) {
      const opened = await open(`${location}/${file}`).catch(refuseUnlessAbsent);
      // Node's own types of streams differ from the web's by name alone.
      return opened &&
        Readable.toWeb(opened.createReadStream({ start })) as unknown as ReadableStream<
          Uint8Array<ArrayBuffer>
        >;
    },
  };
}

function refuseUnlessAbsent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && ABSENT.includes(error.code)) return undefined;
  throw error;
}
