/**
 * Sees to it that a bank has as many views as are asked for: workers make the files that are not there yet. Whatever cuts it
 * off, it goes on from the last whole file.
 */

import { join } from "node:path";
import { sha256 } from "@clip-e/shared";
import { countWorkers } from "../embedding/count_workers.ts";
import { chooseBackend } from "../embedding/choose_backend.ts";
import type { EncoderSpec } from "../embedding/encoder_spec.ts";
import { TrainerError } from "../errors.ts";
import type { AugmentOptions } from "./augment.ts";
import type { BankAnswer, BankJob, BankSetup } from "./bank_worker.ts";
import { type BankPictures, isLabelled, listBankPictures } from "./list_bank_pictures.ts";
import { openTeacherMap } from "./teacher_map.ts";
import {
  HELD_OUT,
  partEnding,
  SHARD_VIEWS,
  shardName,
  ViewBank,
  type ViewFormat,
} from "./view_bank.ts";
import { holdOut } from "./view_maker.ts";

/** What a bank's views depend on. */
export interface BankRequest {
  /** Who is asked. */
  readonly teacher: EncoderSpec;
  /** D, of its features. */
  readonly dimensions: number;
  /** Where pictures are. Views of a data set that has labels say which picture they are of. */
  readonly pictures: BankPictures;
  /** S: side of the views, in pixels. */
  readonly size: number;
  /** How they are made. */
  readonly augment: AugmentOptions;
  /** Decides which. */
  readonly seed: number;
}

/** Options of {@linkcode fillBank}. */
export interface FillOptions {
  /** The least number of views to learn from; the bank has whole files of them. */
  readonly views: number;
  /** What runs the teacher: a backend's name, or `auto`. */
  readonly backend: string;
  /** How many files are made at a time; by default one to each core, as far as there is memory. */
  readonly workers?: number;
  /** Told of every view, whether it was there or is new. */
  readonly onViews?: (count: number, isNew: boolean) => void;
  /** Told of a picture that cannot be read, in whose place the next one is taken. */
  readonly onUnreadable?: (name: string, why: string) => void;
  /** Stops the work; what is whole is kept. */
  readonly signal?: AbortSignal;
}

/** A bank that has what was asked for. */
export interface FilledBank {
  /** Its views. */
  readonly bank: ViewBank;
  /** How many there are to learn from: those numbered from 0. */
  readonly views: number;
  /** How many are held out. */
  readonly heldOut: number;
  /** What all of it depends on, digested. */
  readonly name: string;
}

/** Regions in a row, of which a student learns apart where its teacher has a map of them. */
const SIDE = 3;
/** Pictures that are held out: this share, and no more than so many. */
const [HELD_OUT_SHARE, MOST_HELD_OUT] = [0.05, 1000];

/**
 * Fills a bank.
 *
 * @param request what its views depend on: another request is another bank
 * @param cache the folder of all banks; made if need be
 * @param options how much of it
 * @throws {TrainerError} when there are no pictures, or the teacher cannot be run
 */
export async function fillBank(
  request: BankRequest,
  cache: string,
  options: FillOptions,
): Promise<FilledBank> {
  const { teacher, pictures, size, dimensions, augment, seed } = request;
  const { bytes, externalData, preprocessing } = teacher;
  const listed = await listBankPictures(pictures);
  const names = listed.pictures.map(({ name }) => name);
  const heldOut = Math.min(MOST_HELD_OUT, Math.ceil(HELD_OUT_SHARE * names.length));
  if (names.length < 2) {
    throw new TrainerError("Cannot distill from one picture: name a folder of more");
  }
  const side = openTeacherMap(bytes) ? SIDE : 1;
  const format: ViewFormat = {
    size,
    dimensions,
    side,
    ...(isLabelled(pictures) && { hasPlaces: true }),
  };
  const viewOptions = {
    ...augment,
    pictures: names.length,
    heldOut,
    ...(listed.groups && { groups: listed.groups }),
    seed,
    preprocessing,
    size,
  };
  if (holdOut(viewOptions).learned.length === 0) {
    throw new TrainerError(
      `Cannot hold ${heldOut} of ${names.length} pictures out: all of them are of one group`,
    );
  }
  const key = [teacher.sha256, format, viewOptions, names];
  const name = (await sha256(new TextEncoder().encode(JSON.stringify(key)))).slice(0, 16);
  const folder = join(cache, `views-${name}`);
  await Deno.mkdir(folder, { recursive: true });

  const shards = Math.ceil(options.views / SHARD_VIEWS);
  const jobs: BankJob[] = [];
  const consider = async (job: BankJob, file: string, count: number) => {
    const isThere = await Deno.stat(join(folder, file)).then(() => true, () => false);
    if (isThere) options.onViews?.(count, false);
    else jobs.push(job);
  };
  await consider("held-out", HELD_OUT, heldOut);
  for (let i = 0; i < shards; i++) await consider(i, shardName(i), SHARD_VIEWS);
  if (jobs.length > 0) {
    const backend = await chooseBackend(options.backend, teacher.backends);
    const setup: BankSetup = {
      teacher: { bytes, externalData },
      backend,
      pictures,
      options: viewOptions,
      format,
      folder,
      run: crypto.randomUUID(),
    };
    const { workers = countWorkers(bytes.length) } = options;
    const hands = Array.from(
      { length: Math.min(workers, jobs.length) },
      () => work(setup, jobs, options),
    );
    await Promise.all(hands).finally(() => removeParts(folder, setup.run));
  }
  return { bank: new ViewBank(folder, format), views: shards * SHARD_VIEWS, heldOut, name };
}

/** Has a worker do jobs until there is none left. */
function work(setup: BankSetup, jobs: BankJob[], options: FillOptions): Promise<void> {
  const { onViews, onUnreadable, signal } = options;
  const worker = new Worker(new URL("./bank_worker.ts", import.meta.url), { type: "module" });
  return new Promise<void>((resolve, reject) => {
    const next = () => {
      const job = jobs.shift();
      if (job === undefined) resolve();
      else worker.postMessage(job);
    };
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`A worker that makes views died: ${event.message}`));
    };
    worker.onmessage = ({ data }: MessageEvent<BankAnswer>) => {
      if (data.kind === "view") onViews?.(1, true);
      else if (data.kind === "unreadable") onUnreadable?.(data.name, data.why);
      else if (data.kind === "error") {
        reject(data.isExpected ? new TrainerError(data.message) : new Error(data.message));
      } else next();
    };
    if (signal?.aborted) return reject(signal.reason);
    worker.postMessage(setup);
  }).finally(() => {
    jobs.length = 0;
    worker.terminate();
  });
}

/** Removes what workers that were stopped had not finished. */
async function removeParts(folder: string, run: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(partEnding(run))) await Deno.remove(join(folder, name));
  }
}
