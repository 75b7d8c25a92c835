/**
 * A model's files from a hub: the few that are asked for, at one commit, each checked against the
 * hash that the hub states, and none fetched twice.
 */

import { getHFHubCachePath, listFiles, modelInfo } from "@huggingface/hub";
import { TrainerError } from "../errors.ts";
import {
  HubCache,
  type HubCommit,
  type HubListingEntry,
  isCommit,
  isSafeEntry,
} from "./hub_cache.ts";
import { HubConnection, type HubPatience } from "./hub_connection.ts";
import { downloadContent } from "./hub_download.ts";

export type { HubListingEntry, HubPatience };

/** A file on disk that is what the hub says it is. */
export interface HubFile {
  /** In the repository. */
  readonly path: string;
  /** In the cache. */
  readonly localPath: string;
  /** Its size. */
  readonly bytes: number;
  /** Of its content, hexadecimal; the hub states it of large files only. */
  readonly sha256?: string;
}

/** How far a file is. */
export interface HubProgress {
  /** In the repository. */
  readonly path: string;
  /** Bytes that are there. */
  readonly done: number;
  /** Bytes that it has. */
  readonly total: number;
}

/** Options of {@link fetchHubFiles}. */
export interface FetchHubFilesOptions {
  /** `organisation/name`. */
  readonly model: string;
  /**
   * A branch, a tag or a whole commit hash; `main` by default. A commit that is in the cache is had
   * without the hub.
   */
  readonly revision?: string | undefined;
  /**
   * Chooses from all files of the revision.
   *
   * @throws {TrainerError} naming what is missing
   */
  readonly files: (listing: readonly HubListingEntry[]) => readonly string[];
  /** Address of the hub; `HF_ENDPOINT`, else the public hub, by default. */
  readonly endpoint?: string | undefined;
  /**
   * Of all models; `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub` by default.
   */
  readonly cacheDir?: string | undefined;
  /** Shown to the hub alone; `HF_TOKEN` by default. */
  readonly token?: string | undefined;
  /** Called as the bytes of a file come that was not in the cache. */
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
  /** Ends it, with its own reason; what has come is kept. */
  readonly signal?: AbortSignal | undefined;
  /** How long to try. */
  readonly patience?: HubPatience | undefined;
}

/** What {@link fetchHubFiles} fetched. */
export interface HubFiles {
  /** What the revision means: 40 hexadecimal digits. */
  readonly commit: string;
  /** Of the weights, as the model's card names it: an SPDX-like id such as `mit`, or a name. */
  readonly license?: string;
  /** By path in the repository, in the order chosen. */
  readonly files: ReadonlyMap<string, HubFile>;
}

/**
 * Fetches files of a model, unless they are in the cache.
 *
 * Needs to read the environment (`HF_*`, `HUGGINGFACE_HUB_CACHE`, `XDG_CACHE_HOME`) and the user's
 * home folder, to read and write the cache and, unless all is there, the network.
 *
 * @example
 * ```ts ignore
 * const { files } = await fetchHubFiles({
 *   model: "openai/clip-vit-base-patch32",
 *   files: () => ["config.json", "tokenizer.json"],
 * });
 * ```
 *
 * @param options which, and from where
 * @returns where they are
 * @throws {TrainerError} when one cannot be had; what has come is kept for the next attempt
 */
export async function fetchHubFiles(options: FetchHubFilesOptions): Promise<HubFiles> {
  const { model, revision = "main", signal } = options;
  checkNames(model, revision);
  signal?.throwIfAborted();
  const cache = new HubCache(options.cacheDir ?? getHFHubCachePath(), model);
  try {
    const held = isCommit(revision) ? undefined : await readHeld(cache, revision);
    const connection = new HubConnection({ ...options, revision, held });
    const known = isCommit(revision) ? await cache.readCommit(revision) : undefined;
    const { commit, license, listing } = known ?? await ask(options, revision, connection, cache);
    const entries = pick(model, commit, listing, options.files(listing));
    const files = new Map<string, HubFile>();
    for (const entry of entries) {
      files.set(entry.path, await fetchFile(options, commit, entry, connection, cache));
    }
    await cache.writeRef(revision, commit);
    return { commit, ...(license === undefined ? {} : { license }), files };
  } catch (error) {
    throw explainDisk(model, cache.root, error);
  }
}

function checkNames(model: string, revision: string): void {
  if (!/^(?!\.)[\w.-]+\/(?!\.)[\w.-]+$/.test(model)) {
    throw new TrainerError(
      `Cannot fetch the model ${JSON.stringify(model)}: that is no name of a hub's model. ` +
        "Write it as organisation/name",
    );
  }
  // A revision names a file under refs/.
  if (!revision.split("/").every((part) => /^(?!\.)[\w.+@-]+$/.test(part))) {
    throw new TrainerError(
      `Cannot fetch the revision ${JSON.stringify(revision)} of ${model}: that is no name of a ` +
        "revision. Name a branch, a tag or a whole commit hash",
    );
  }
}

/** The commit that could be had without the hub, of a branch or tag that was fetched before. */
async function readHeld(cache: HubCache, revision: string): Promise<string | undefined> {
  const commit = await cache.readRef(revision);
  return commit && (await cache.readCommit(commit))?.commit;
}

/** Asks what a revision is, and what is in it. */
async function ask(
  { model }: FetchHubFilesOptions,
  revision: string,
  connection: HubConnection,
  cache: HubCache,
): Promise<HubCommit> {
  const hub = { hubUrl: connection.endpoint, fetch: connection.fetch };
  const what = `the model ${model}`;
  const { sha: commit, cardData, tags } = await connection.persist(
    what,
    () =>
      modelInfo({ ...hub, name: model, revision, additionalFields: ["sha", "cardData", "tags"] }),
  );
  const strange = (why: string) =>
    new TrainerError(
      `Cannot fetch ${what}: ${connection.shownEndpoint} ${why}. ` +
        "Set HF_ENDPOINT to the address of a model hub",
    );
  if (typeof commit !== "string" || !isCommit(commit)) throw strange("names no commit of it");
  const known = await cache.readCommit(commit);
  if (known) return known;

  const repo = { type: "model", name: model } as const;
  const entries = await connection.persist(
    what,
    () => Array.fromAsync(listFiles({ ...hub, repo, revision: commit, recursive: true })),
  );
  const listing = entries.filter(({ type }) => type === "file").map((entry): HubListingEntry => {
    const { path, size, oid = "", lfs } = entry;
    const file = { path, size, oid, ...(lfs && { lfs: { oid: lfs.oid, size: lfs.size } }) };
    if (!isSafeEntry(file)) throw strange(`lists ${JSON.stringify(path)}, which is no plain file`);
    return file;
  });
  const license = readLicense(cardData, tags);
  const asked = { commit, ...(license === undefined ? {} : { license }), listing };
  await cache.writeCommit(asked);
  return asked;
}

/** The licence of the model's card or, of a hub that does not pass the card on, of its tags. */
function readLicense(card: unknown, tags: unknown): string | undefined {
  const { license, license_name: name } = { ...card as Record<string, unknown> };
  // The card of a licence that has no id says `other`, and gives its name.
  if ((license === "other" || license === undefined) && typeof name === "string") return name;
  const named = [license].flat().filter((text) => typeof text === "string" && text !== "");
  if (named.length > 0) return named.join(", ");
  const tag = [tags].flat().find((text) => typeof text === "string" && text.startsWith("license:"));
  return typeof tag === "string" ? tag.slice("license:".length) : undefined;
}

function pick(
  model: string,
  commit: string,
  listing: readonly HubListingEntry[],
  paths: readonly string[],
): HubListingEntry[] {
  const byPath = new Map(listing.map((entry) => [entry.path, entry]));
  return [...new Set(paths)].map((path) => {
    const entry = byPath.get(path);
    if (entry) return entry;
    const others = listing.slice(0, 20).map((entry) => entry.path).join(", ");
    throw new TrainerError(
      `Cannot fetch ${path} of ${model}: there is no such file at ${commit}. It has: ${others}` +
        (listing.length > 20 ? ` and ${listing.length - 20} more` : ""),
    );
  });
}

async function fetchFile(
  { model, signal, onProgress }: FetchHubFilesOptions,
  commit: string,
  entry: HubListingEntry,
  connection: HubConnection,
  cache: HubCache,
): Promise<HubFile> {
  const { path, size: total, lfs } = entry;
  signal?.throwIfAborted();
  let localPath = await cache.find(commit, entry);
  if (localPath === undefined) {
    using _ = await cache.lock(entry, signal);
    // Somebody else may have fetched it meanwhile.
    localPath = await cache.find(commit, entry);
    if (localPath === undefined) {
      const partial = cache.partialPath(entry);
      const report = onProgress && ((done: number) => onProgress({ path, done, total }));
      await downloadContent({ connection, model, commit, entry, partial, onProgress: report });
      await Deno.rename(partial, cache.blobPath(entry));
      localPath = await cache.link(commit, entry);
    }
  }
  return { path, localPath, bytes: total, ...(lfs && { sha256: lfs.oid }) };
}

/** Makes a sentence of what the operating system says; any other error stays as it is. */
function explainDisk(model: string, root: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof TrainerError) return cause;
  const code = "code" in cause ? cause.code : undefined;
  // Deno knows no code of some, such as that of a file that is too large for its disk.
  const isOfSystem = typeof code === "string"
    ? /^E[A-Z]+$/.test(code)
    : / \(os error \d+\)/.test(cause.message);
  if (!isOfSystem) return cause;
  const why = code === "ENOSPC" || code === "EDQUOT"
    ? "the disk is full. Make room there"
    : `${cause.message}. Make that folder one that can be written to`;
  return new TrainerError(
    `Cannot keep the files of ${model} in ${root}: ${why}, or set HF_HOME to a folder elsewhere, ` +
      "and run it again: what has come is kept",
    { cause },
  );
}
