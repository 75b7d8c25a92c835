/**
 * The variants that a build makes of an image encoder, all measured on the same pictures, with words and bars on stderr.
 */

import type { Prompts } from "@clip-e/shared";
import type { EncoderFile } from "./encoder_file.ts";
import { type EncoderVariant, makeEncoderVariant, type Precision } from "./encoder_variants.ts";
import type { PictureInputs } from "../fidelity/open_for_pictures.ts";
import { readPictures } from "../fidelity/inputs.ts";
import { findBackends } from "./find_backends.ts";
import { type Progress, startProgress } from "../progress.ts";
import { userPath } from "../user_path.ts";

/** More say little more, and each runs four times for each variant. */
const MAX_PICTURES = 64;

/**
 * Reads the pictures that variants are measured by.
 *
 * @param float the encoder that they are made of
 * @param precisions of the variants
 * @param folder the user's pictures; the project's own unless given
 * @returns none where nothing is measured: floats are taken as they are
 * @throws {TrainerError} when a folder was given, and no picture in it can be read
 */
export async function readVariantPictures(
  { preprocessing }: EncoderFile,
  precisions: readonly Precision[],
  folder: string | undefined,
): Promise<PictureInputs> {
  const isMeasured = precisions.some((precision) => precision !== "float32");
  if (!isMeasured && folder === undefined) return { crop: preprocessing.crop, inputs: [] };
  return await readPictures(preprocessing, {
    pictures: folder === undefined ? undefined : userPath(folder),
    maxPictures: MAX_PICTURES,
    // The project's own are of every kind, some of which are unlike any photograph: nothing to tell a user.
    ...(folder !== undefined && { onNote: console.error }),
  });
}

/** Options of {@linkcode buildVariants}. */
export interface BuildVariantsOptions {
  /** The least cosine of an 8-bit embedding to the float one. */
  readonly targetCosine: number;
  /** By taxonomy, in the encoder's embedding space. */
  readonly prompts: ReadonlyMap<string, Prompts>;
  /** Ends the work: its reason is thrown. */
  readonly signal: AbortSignal;
}

/**
 * Makes variants, one after another.
 *
 * @param float the encoder, in 32-bit floats
 * @param precisions of the variants, in order of preference
 * @param pictures to measure by
 * @param options what to reach
 * @throws {TrainerError} when the target cannot be met
 */
export async function buildVariants(
  float: EncoderFile,
  precisions: readonly Precision[],
  pictures: PictureInputs,
  options: BuildVariantsOptions,
): Promise<EncoderVariant[]> {
  const backends = findBackends();
  const variants: EncoderVariant[] = [];
  for (const precision of precisions) {
    if (precision !== "float32") console.error(`Making the ${precision} encoder`);
    const bar = comparisonBar(precision, backends.length * pictures.inputs.length);
    try {
      const how = { ...options, backends, onStep: console.error, onPicture: bar.step };
      variants.push(await makeEncoderVariant(float, precision, pictures, how));
    } finally {
      await bar.stop();
    }
  }
  return variants;
}

/** A bar for each time that all pictures are compared; it is not there before the first. */
function comparisonBar(precision: Precision, steps: number): Pick<Progress, "step" | "stop"> {
  let progress: Progress | undefined;
  let done = 0;
  const stop = async () => {
    const ended = progress;
    progress = undefined;
    await ended?.stop();
  };
  return {
    step() {
      progress ??= startProgress(`Comparing the ${precision} encoder`, steps);
      progress.step();
      if (++done % steps === 0) void stop();
    },
    stop,
  };
}
