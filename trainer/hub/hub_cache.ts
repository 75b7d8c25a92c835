/**
 * The cache of hub models, laid out as all tools of that hub lay it out, so that each finds what
 * another has fetched: `models--organisation--name/` with `blobs/` (files, named after the hash
 * that the hub states), `snapshots/COMMIT/` (links to them, by path) and `refs/` (the commit that a
 * branch or tag meant last).
 *
 * One folder is ours: `listings/`, what a commit holds and under which licence. A commit never
 * changes, so with it a second run need not ask the hub.
 */

import { createHash, type Hash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { getRepoFolderName } from "@huggingface/hub";

/** A file in a repository, as the hub lists it. */
export interface HubListingEntry {
  /** In the repository. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Git's own hash of the file or, of a large one, of the pointer in its place; hexadecimal. */
  readonly oid: string;
  /** Of a large file. */
  readonly lfs?: {
    /** SHA-256 of its bytes, hexadecimal. */
    readonly oid: string;
    /** Bytes. */
    readonly size: number;
  };
}

/** A commit, as the hub states it. */
export interface HubCommit {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** What its weights may be used under. */
  readonly license?: string;
  /** All its files. */
  readonly listing: readonly HubListingEntry[];
}

/** Whether a revision is a whole commit hash. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a listed file has a path and hashes that can be trusted to name files after. */
export function isSafeEntry({ path, size, oid, lfs }: HubListingEntry): boolean {
  const parts = path.split("/");
  return parts.every((part) => part !== "" && part !== "." && part !== ".." && isPlain(part)) &&
    Number.isSafeInteger(size) && size >= 0 &&
    (lfs ? /^[0-9a-f]{64}$/.test(lfs.oid) : /^[0-9a-f]{40}$/.test(oid));
}

/** Windows would take these for drives and folders. */
function isPlain(part: string): boolean {
  // deno-lint-ignore no-control-regex
  return !/[\\:\u0000-\u001f]/.test(part);
}

/** The hash that the hub states of a file's content, hexadecimal: the name of its blob. */
export function statedHash({ oid, lfs }: HubListingEntry): string {
  return lfs?.oid ?? oid;
}

/** Begins to hash a file as the hub does: SHA-256 of a large one, else Git's SHA-1 of a blob. */
export function beginHash({ size, lfs }: HubListingEntry): Hash {
  return lfs ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

/** One model's part of the cache. */
export class HubCache {
  /** The whole cache. */
  readonly root: string;
  readonly #folder: string;
  readonly #name: string;

  /**
   * Touches nothing yet.
   *
   * @param root of the whole cache
   * @param model `organisation/name`
   */
  constructor(root: string, model: string) {
    this.root = root;
    this.#name = getRepoFolderName({ type: "model", name: model });
    this.#folder = join(root, this.#name);
  }

  /** Where a file's content belongs. */
  blobPath(entry: HubListingEntry): string {
    return join(this.#folder, "blobs", statedHash(entry));
  }

  /** Where a file's content gathers while it is fetched. */
  partialPath(entry: HubListingEntry): string {
    return `${this.blobPath(entry)}.incomplete`;
  }

  /** What is known of a commit from an earlier run. */
  async readCommit(commit: string): Promise<HubCommit | undefined> {
    const text = await readText(this.#listingPath(commit));
    try {
      const known: HubCommit | undefined = text && JSON.parse(text);
      return known?.commit === commit && known.listing.every(isSafeEntry) ? known : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps what the hub says of a commit. */
  async writeCommit(known: HubCommit): Promise<void> {
    await writeText(this.#listingPath(known.commit), JSON.stringify(known));
  }

  #listingPath(commit: string): string {
    return join(this.#folder, "listings", `${commit}.json`);
  }

  /** The commit that a branch or tag meant when it was last fetched. */
  async readRef(revision: string): Promise<string | undefined> {
    const commit = (await readText(join(this.#folder, "refs", revision)))?.trim();
    return commit && isCommit(commit) ? commit : undefined;
  }

  /** Keeps what a branch or tag means; of a commit itself there is nothing to keep. */
  async writeRef(revision: string, commit: string): Promise<void> {
    const refs = join(this.#folder, "refs");
    await Deno.mkdir(refs, { recursive: true });
    if (revision !== commit) await writeText(join(refs, revision), commit);
  }

  /**
   * Looks a file up, and checks every byte of it.
   *
   * @param commit that it is a part of
   * @param entry as the hub lists it
   * @returns where it is, or `undefined` when it is missing or damaged
   */
  async find(commit: string, entry: HubListingEntry): Promise<string | undefined> {
    const pointer = this.#pointerPath(commit, entry);
    if (await isIntact(pointer, entry)) return pointer;
    if (await isIntact(this.blobPath(entry), entry)) return await this.link(commit, entry);
    return undefined;
  }

  #pointerPath(commit: string, { path }: HubListingEntry): string {
    return join(this.#folder, "snapshots", commit, path);
  }

  /**
   * Puts a file whose content is there into a commit's snapshot.
   *
   * @param commit that it is a part of
   * @param entry as the hub lists it
   * @returns where it is
   */
  async link(commit: string, entry: HubListingEntry): Promise<string> {
    const blob = this.blobPath(entry);
    const pointer = this.#pointerPath(commit, entry);
    const aside = `${pointer}.${crypto.randomUUID()}.partial`;
    await Deno.mkdir(dirname(pointer), { recursive: true });
    try {
      // Windows allows links to some users only.
      await Deno.symlink(relative(dirname(pointer), blob), aside)
        .catch(() => Deno.copyFile(blob, aside));
      await Deno.rename(aside, pointer);
    } catch (error) {
      await Deno.remove(aside).catch(() => {});
      throw error;
    }
    return pointer;
  }

  /**
   * Waits until no other process fetches a file; with the lock that the hub's other tools hold,
   * too.
   *
   * @param entry as the hub lists it
   * @param signal ends the wait
   * @returns to be disposed of when this one has done so
   */
  async lock(entry: HubListingEntry, signal?: AbortSignal): Promise<Disposable> {
    const path = join(this.root, ".locks", this.#name, `${statedHash(entry)}.lock`);
    await Deno.mkdir(dirname(path), { recursive: true });
    const file = await Deno.open(path, { write: true, create: true });
    try {
      while (!await file.tryLock(true)) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        signal?.throwIfAborted();
      }
    } catch (error) {
      file.close();
      throw error;
    }
    return { [Symbol.dispose]: () => file.close() };
  }
}

async function isIntact(path: string, entry: HubListingEntry): Promise<boolean> {
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile || size !== entry.size) return false;
    const hash = beginHash(entry);
    using file = await Deno.open(path);
    for await (const chunk of file.readable) hash.update(chunk);
    return hash.digest("hex") === statedHash(entry);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function readText(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}

async function writeText(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${crypto.randomUUID()}.partial`;
  try {
    await Deno.writeTextFile(aside, text);
    await Deno.rename(aside, path);
  } catch (error) {
    await Deno.remove(aside).catch(() => {});
    throw error;
  }
}
