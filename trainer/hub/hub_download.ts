/**
 * One file's content from a hub to the disk: begun where an earlier run was cut off, and kept only
 * if it is what the hub says it is.
 *
 * The package's own `downloadFileToCacheDir` starts from nothing each time and checks nothing; its
 * `downloadFile` gives a blob whose slices are ranges, which is what this goes by. Its second way
 * to the same bytes, the chunked "xet" storage, is left alone: the hub serves the same files over
 * plain HTTP, where a range and a hash are all that is needed.
 */

import { downloadFile } from "@huggingface/hub";
import type { Hash } from "node:crypto";
import { dirname } from "node:path";
import { TrainerError } from "../errors.ts";
import { beginHash, type HubListingEntry, statedHash } from "./hub_cache.ts";
import { type HubConnection, HubFailure } from "./hub_connection.ts";

/** What to download, and to where. */
export interface HubDownload {
  /** Where from. */
  readonly connection: HubConnection;
  /** `organisation/name`. */
  readonly model: string;
  /** That the file is a part of. */
  readonly commit: string;
  /** The file. */
  readonly entry: HubListingEntry;
  /** Where its content gathers; what is there counts as its beginning. */
  readonly partial: string;
  /** Called as bytes come, with how many there are. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/**
 * Downloads a file's content.
 *
 * @param download what, and to where
 * @returns when it is whole and its hash is right
 * @throws {TrainerError} when it cannot be had, or is not what the hub says; then nothing of it is
 * left
 */
export async function downloadContent(download: HubDownload): Promise<void> {
  const { connection, model, entry, onProgress } = download;
  const what = `${entry.path} of ${model}`;
  await Deno.mkdir(dirname(download.partial), { recursive: true });
  const partial = await PartialFile.open(download.partial, entry);
  try {
    let isResumed = partial.bytes > 0;
    while (true) {
      onProgress?.(partial.bytes);
      await connection.persist(what, (progressed) => receive(download, partial, progressed));
      const hash = partial.digest();
      if (hash === statedHash(entry)) return;
      await partial.restart();
      if (!isResumed) {
        await Deno.remove(download.partial);
        throw wrongHash(what, connection.shownEndpoint, entry, hash);
      }
      // The beginning came from an earlier run, and may have been of something else.
      isResumed = false;
    }
  } finally {
    partial.close();
  }
}

/** One attempt at what is missing. */
async function receive(
  { connection, model, commit, entry, onProgress }: HubDownload,
  partial: PartialFile,
  progressed: () => void,
): Promise<void> {
  const start = partial.bytes;
  if (start === entry.size) return;
  let failure: unknown;
  let isWhole = start === 0;
  const path = entry.path.split("/").map(encodeURIComponent).join("/");
  const blob = await downloadFile({
    repo: { type: "model", name: model },
    path: entry.path,
    revision: commit,
    hubUrl: connection.endpoint,
    xet: false,
    downloadInfo: {
      size: entry.size,
      etag: statedHash(entry),
      url: `${connection.endpoint}/${model}/resolve/${commit}/${path}`,
    },
    fetch: async (input, init) => {
      try {
        const headers = new Headers(init?.headers);
        // Ranges are of the bytes that are sent, so those had better be the file's.
        headers.set("accept-encoding", "identity");
        const response = await connection.fetch(input, { ...init, headers });
        isWhole = response.status !== 206;
        return response;
      } catch (error) {
        failure = error;
        throw error;
      }
    },
  });
  if (!blob) throw new HubFailure("no content came", { status: 404, code: "EntryNotFound" });
  try {
    for await (const chunk of blob.slice(start).stream()) {
      if (isWhole && start > 0 && partial.bytes === start) await partial.restart();
      isWhole = false;
      await partial.append(chunk.subarray(0, entry.size - partial.bytes));
      progressed();
      onProgress?.(partial.bytes);
      if (partial.bytes === entry.size) return;
    }
  } catch (error) {
    // The blob's stream passes on only the words of a request that failed.
    throw failure ?? error;
  }
  throw new HubFailure(`the connection ended after ${partial.bytes} of ${entry.size} bytes`);
}

function wrongHash(
  what: string,
  endpoint: string,
  entry: HubListingEntry,
  hash: string,
): TrainerError {
  return new TrainerError(
    `Cannot use ${what}: what ${endpoint} sent has the hash ${hash}, and the hub states ` +
      `${statedHash(entry)}. It has been removed; run it again and, if that does not help, ` +
      "set HF_ENDPOINT to another hub",
  );
}

/** A file that grows, and the hash of what is in it. */
class PartialFile {
  readonly #file: Deno.FsFile;
  readonly #entry: HubListingEntry;
  #hash: Hash;
  #bytes = 0;

  private constructor(file: Deno.FsFile, entry: HubListingEntry) {
    this.#file = file;
    this.#entry = entry;
    this.#hash = beginHash(entry);
  }

  static async open(path: string, entry: HubListingEntry): Promise<PartialFile> {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    const partial = new PartialFile(file, entry);
    try {
      const { size } = await file.stat();
      if (size > entry.size) await partial.restart();
      else await partial.#readOn(size);
      return partial;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  async #readOn(size: number): Promise<void> {
    const buffer = new Uint8Array(1 << 18);
    while (this.#bytes < size) {
      const read = await this.#file.read(buffer);
      if (read === null) return;
      this.#count(buffer.subarray(0, read));
    }
  }

  /** How many there are. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Of all that is there, hexadecimal. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const written = await this.#file.write(chunk.subarray(at));
      this.#count(chunk.subarray(at, at + written));
      at += written;
    }
  }

  #count(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** Empties it. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    await this.#file.seek(0, Deno.SeekMode.Start);
    this.#hash = beginHash(this.#entry);
    this.#bytes = 0;
  }

  close(): void {
    this.#file.close();
  }
}
