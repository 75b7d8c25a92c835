/**
 * All views that a run of distillation looks at, made as far as they are not there yet, with progress on the screen: of any
 * pictures, and of those that have labels.
 */

import type { EncoderSpec } from "../embedding/encoder_spec.ts";
import { startProgress } from "../progress.ts";
import { AUGMENT, type AugmentOptions } from "./augment.ts";
import { fillBank, type FilledBank } from "./fill_bank.ts";
import type { LabelledSource } from "./labelled_pictures.ts";
import type { BankPictures } from "./list_bank_pictures.ts";

/** Pictures, and how many views of them are wanted. */
export interface ViewsOf<P extends BankPictures> {
  /** Where they are. */
  readonly pictures: P;
  /** The least number of views. */
  readonly views: number;
}

/** What is to be looked at. */
export interface BanksRequest {
  /** Who is asked. */
  readonly teacher: EncoderSpec;
  /** D, of its features. */
  readonly dimensions: number;
  /** Side of the views, in pixels. */
  readonly size: number;
  /** Decides which. */
  readonly seed: number;
  /** Any pictures. */
  readonly plain: ViewsOf<readonly string[]>;
  /** Those that have labels. */
  readonly labelled?: ViewsOf<LabelledSource>;
}

/** How they are made. */
export interface MakeOptions {
  /** The folder of all banks. */
  readonly cache: string;
  /** What runs the teacher: a backend's name, or `auto`. */
  readonly backend: string;
  /** How many files are made at a time. */
  readonly workers?: number;
  /** Told of pictures that cannot be read. */
  readonly say: (words: string) => void;
  /** Stops the work; what is whole is kept. */
  readonly signal: AbortSignal;
}

/** What was made. */
export interface Banks {
  /** Of any pictures. */
  readonly plain: FilledBank;
  /** Of those that have labels. */
  readonly labelled?: FilledBank;
}

/** A view of a labelled picture is of nothing else, so that its label is the view's. */
const ALONE: AugmentOptions = { ...AUGMENT, mix: 0, mosaic: 0 };

/**
 * Makes the banks.
 *
 * @param request what is to be looked at
 * @param options how it is made
 * @throws {TrainerError} when there are no pictures, or the teacher cannot be run
 */
export async function makeBanks(request: BanksRequest, options: MakeOptions): Promise<Banks> {
  const plain = await makeBank("Views", request, request.plain, AUGMENT, options);
  if (!request.labelled) return { plain };
  try {
    const wanted = request.labelled;
    return { plain, labelled: await makeBank("Labelled views", request, wanted, ALONE, options) };
  } catch (error) {
    plain.bank.close();
    throw error;
  }
}

async function makeBank(
  title: string,
  { teacher, dimensions, size, seed }: BanksRequest,
  { pictures, views }: ViewsOf<BankPictures>,
  augment: AugmentOptions,
  { cache, say, ...options }: MakeOptions,
): Promise<FilledBank> {
  const progress = startProgress(title, views);
  const start = performance.now();
  let [done, known] = [0, 0];
  try {
    return await fillBank({ teacher, dimensions, pictures, size, augment, seed }, cache, {
      ...options,
      views,
      onViews(count, isNew) {
        done += count;
        if (!isNew) known += count;
        progress.set(Math.min(done, views), known);
        const rate = 1000 * (done - known) / (performance.now() - start);
        if (isNew) progress.note(`${rate.toFixed(0)} a second`);
      },
      onUnreadable: (name, why) => say(`Left out ${name}: ${why}`),
    });
  } finally {
    await progress.stop();
  }
}
