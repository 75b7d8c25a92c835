/**
 * A distillation that was cut off goes on where it was: all that the next step depends on is one file, put in place once it is
 * whole.
 */

import { readSafetensorsFile, writeSafetensors } from "@clip-e/shared";
import { dirname } from "node:path";
import { TrainerError } from "../errors.ts";
import type { AdamState } from "./adam_w.ts";

/** How far a student was. */
export interface Measurement {
  /** Steps that it had taken. */
  readonly step: number;
  /** The mean since the measurement before. */
  readonly loss: number;
  /** Between its embeddings and the teacher's, the mean over pictures that are held out. */
  readonly cosine: number;
  /** The same after the teacher's mean is taken off both: what tells pictures apart. */
  readonly centred: number;
  /** Where labels are learned, of pictures with labels that are held out. */
  readonly labels?: LabelMeasurement;
}

/** How well labels are told. */
export interface LabelMeasurement {
  /** How many there are. */
  readonly pictures: number;
  /** The share whose label was told. */
  readonly accuracy: number;
  /** The share that has the most frequent label: what always telling that one would come to. */
  readonly commonest: number;
}

/** All that the next step depends on. */
export interface DistillProgress {
  /** What learns. */
  readonly state: AdamState;
  /** Steps that were taken. */
  readonly step: number;
  /** So far. */
  readonly measurements: readonly Measurement[];
}

/** The state's parts, which are the file's tensors. */
const PARTS = ["parameters", "average", "mean", "square"] as const;

/**
 * Saves the work.
 *
 * @param path of the file; its folder is made
 * @param fingerprint of everything that the result depends on
 * @param progress the work
 */
export async function saveProgress(
  path: string,
  fingerprint: string,
  { state, step, measurements }: DistillProgress,
): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const tensors = PARTS.map((part) => [part, { shape: [state[part].length], data: state[part] }]);
  const bytes = writeSafetensors(Object.fromEntries(tensors), {
    fingerprint,
    step: String(step),
    measurements: JSON.stringify(measurements),
  });
  const part = `${path}.part`;
  await Deno.writeFile(part, bytes);
  await Deno.rename(part, path);
}

/**
 * Reads saved work.
 *
 * @param path of the file
 * @param fingerprint of everything that the result depends on
 * @returns nothing where nothing was saved
 * @throws {TrainerError} when it was saved of another run, or is damaged
 */
export async function loadProgress(
  path: string,
  fingerprint: string,
): Promise<DistillProgress | undefined> {
  const bytes = await Deno.readFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (!bytes) return undefined;
  const refuse = (why: string, cause?: unknown) =>
    new TrainerError(
      `Cannot go on with the distillation saved in ${path}: ${why}. Delete it, and it begins anew`,
      { cause },
    );
  try {
    const { tensors, metadata } = readSafetensorsFile(bytes);
    if (metadata.get("fingerprint") !== fingerprint) throw refuse("it was another one");
    const read = (part: typeof PARTS[number]) => {
      const data = tensors.get(part)?.data;
      if (data) return data;
      throw refuse(`it holds no ${part}`);
    };
    const [parameters, average, mean, square] = PARTS.map(read);
    return {
      state: { parameters, average, mean, square },
      step: Number(metadata.get("step")),
      measurements: JSON.parse(metadata.get("measurements") ?? "[]"),
    };
  } catch (cause) {
    if (cause instanceof TrainerError) throw cause;
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}
