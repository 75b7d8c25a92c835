/**
 * A worker that makes views and asks the teacher about them: it opens the teacher once, then makes one file of views after
 * another, on one core.
 */

import "../embedding/without_location.ts";
import { join } from "node:path";
import sharp from "sharp";
import { openEncoder } from "@clip-e/edge/encoder";
import { decodeFile } from "../embedding/decode_file.ts";
import { type EmbeddingBackend, openBackend } from "../embedding/choose_backend.ts";
import type { EncoderSpec } from "../embedding/encoder_spec.ts";
import { TrainerError } from "../errors.ts";
import { meanOfRegions, openTeacherMap } from "./teacher_map.ts";
import { type BankPictures, listBankPictures } from "./list_bank_pictures.ts";
import type { PictureSource } from "./list_pictures.ts";
import { HELD_OUT, SHARD_VIEWS, shardName, type ViewFormat, writeViews } from "./view_bank.ts";
import { holdOut, type OpenPicture, type View, ViewMaker, type ViewOptions } from "./view_maker.ts";

/** What a worker is sent first. */
export interface BankSetup {
  /** Which. */
  readonly teacher: Pick<EncoderSpec, "bytes" | "externalData">;
  /** What runs it. */
  readonly backend: EmbeddingBackend;
  /** Where pictures are. */
  readonly pictures: BankPictures;
  /** How views are made. */
  readonly options: ViewOptions;
  /** How they are kept. */
  readonly format: ViewFormat;
  /** Of the bank. */
  readonly folder: string;
  /** Which tells files that are not whole from those of others. */
  readonly run: string;
}

/** Then files to make: a number of views to learn from, or those of pictures that are held out. */
export type BankJob = number | "held-out";

/** What a worker answers. */
export type BankAnswer =
  | { readonly kind: "ready" | "view" | "file" }
  | { readonly kind: "unreadable"; readonly name: string; readonly why: string }
  | { readonly kind: "error"; readonly isExpected: boolean; readonly message: string };

/** A larger picture counts as unreadable. */
const MAX_PIXELS = 200_000_000;
/** So many pictures in a row that cannot be read are no accident. */
const PATIENCE = 100;

/** The worker's global scope, of which the compiler's library for windows knows nothing. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<BankSetup | BankJob>) => void;
  postMessage: (answer: BankAnswer) => void;
};

let makeFile: ((job: BankJob) => Promise<void>) | undefined;

scope.onmessage = async ({ data }) => {
  try {
    if (typeof data === "object") {
      makeFile = await start(data);
      scope.postMessage({ kind: "ready" });
    } else {
      await makeFile?.(data);
      scope.postMessage({ kind: "file" });
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: "error", isExpected: error instanceof TrainerError, message });
  }
};

async function start(setup: BankSetup): Promise<(job: BankJob) => Promise<void>> {
  sharp.concurrency(1);
  const { teacher, backend, options, format, folder, run } = setup;
  const ask = await openTeacher(teacher, options.preprocessing.crop, format.side, backend);
  const { pictures } = await listBankPictures(setup.pictures);
  const maker = new ViewMaker(options, readableOf(pictures, options));

  async function look(view: View) {
    const features = await ask(view.teacher);
    scope.postMessage({ kind: "view" });
    return { pixels: view.student, features, place: view.place };
  }
  return async (job) => {
    if (job === "held-out") {
      await writeViews(
        join(folder, HELD_OUT),
        format,
        options.heldOut,
        async (number) => look(await maker.holdOut(number)),
        run,
      );
    } else {
      await writeViews(
        join(folder, shardName(job)),
        format,
        SHARD_VIEWS,
        async (number) => look(await maker.learn(job * SHARD_VIEWS + number)),
        run,
      );
    }
  };
}

/** Opens what makes features, `[R, D]`, of a view for the teacher. */
async function openTeacher(
  { bytes, externalData }: BankSetup["teacher"],
  crop: number,
  side: number,
  backend: EmbeddingBackend,
): Promise<(pixels: Float32Array) => Promise<Float32Array>> {
  const runtime = await openBackend(backend, 1);
  if (side === 1) {
    const encoder = await openEncoder(bytes, crop, { backend: runtime, externalData });
    return (pixels) => encoder.encode(pixels);
  }
  const map = openTeacherMap(bytes);
  if (!map) throw new TypeError("This teacher has no map of places");
  const session = await runtime.open(map.bytes, externalData);
  const [input] = session.inputNames;
  return async (pixels) => {
    const tensor = { type: "float32", data: pixels, dims: [1, 3, crop, crop] } as const;
    const { data, dims } = await session.run({ [input]: tensor }, map.output);
    if (!(data instanceof Float32Array)) throw new TypeError("A map must be 32-bit floats");
    return meanOfRegions(data, dims[2], dims[3], side);
  };
}

/** Opens pictures; in place of one that cannot be read, the next one that can. */
function readableOf(pictures: readonly PictureSource[], options: ViewOptions): OpenPicture {
  const sides = sidesOf(options);
  const told = new Set<string>();
  return async (wanted) => {
    let tried = 0;
    for (const place of placesFrom(wanted, sides).take(PATIENCE)) {
      const { name, read } = pictures[place];
      try {
        return { picture: await decodeFile(await read(), MAX_PIXELS), place };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (!told.has(name)) scope.postMessage({ kind: "unreadable", name, why });
        told.add(name);
        tried++;
      }
    }
    throw new TrainerError(
      `Cannot make views: ${tried} pictures in a row cannot be read, the first ${
        pictures[wanted].name
      }`,
    );
  };
}

/** Which pictures are held out, by place, and which are learned from. */
function sidesOf(options: ViewOptions): Uint8Array {
  const sides = new Uint8Array(options.pictures);
  const { heldOut, learned } = holdOut(options);
  for (const place of heldOut) sides[place] = 1;
  for (const place of learned) sides[place] = 2;
  return sides;
}

/** Places around the list: first those on the same side, so that what is held out stays so as long as it can. */
function* placesFrom(wanted: number, sides: Uint8Array): Generator<number, void> {
  for (const isSame of [true, false]) {
    for (let i = 0; i < sides.length; i++) {
      const place = (wanted + i) % sides.length;
      if ((sides[place] === sides[wanted]) === isSame) yield place;
    }
  }
}
