/**
 * Small pictures for a report's mistakes, which go into the page itself.
 */

import sharp from "sharp";
import type { Experiment, Mistake } from "../evaluation/experiment.ts";

/** Of the longest side, in pixels. */
const SIDE = 160;
const QUALITY = 70;

/**
 * Makes a small JPEG of a picture file, upright; what is transparent becomes white.
 *
 * @param bytes of a file that sharp reads
 * @returns a `data:` address, or `undefined` where the file cannot be read
 */
export async function makeThumbnail(bytes: Uint8Array): Promise<string | undefined> {
  try {
    const jpeg = await sharp(bytes, { autoOrient: true })
      .resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: true })
      .flatten({ background: "white" })
      .jpeg({ quality: QUALITY })
      .toBuffer();
    return `data:image/jpeg;base64,${new Uint8Array(jpeg).toBase64()}`;
  } catch {
    return undefined;
  }
}

/**
 * Gives every mistake its thumbnail. Each picture is read once, one after another.
 *
 * @param experiment whose mistakes have none
 * @param readPicture reads a picture's file by data set and name; may throw, or give nothing
 * @returns the experiment; a mistake whose picture cannot be read stays without
 */
export async function addThumbnails(
  experiment: Experiment,
  readPicture: (dataset: string, name: string) => Promise<Uint8Array | undefined>,
): Promise<Experiment> {
  const made = new Map<string, string | undefined>();
  const thumbnailOf = async (dataset: string, name: string) => {
    const key = JSON.stringify([dataset, name]);
    if (!made.has(key)) {
      const bytes = await readPicture(dataset, name).catch(() => undefined);
      made.set(key, bytes && await makeThumbnail(bytes));
    }
    return made.get(key);
  };
  const tasks = [];
  for (const task of experiment.tasks) {
    const mistakes: Mistake[] = [];
    for (const mistake of task.mistakes) {
      const thumbnail = await thumbnailOf(task.dataset, mistake.name);
      mistakes.push({ ...mistake, ...(thumbnail !== undefined && { thumbnail }) });
    }
    tasks.push({ ...task, mistakes });
  }
  return { ...experiment, tasks };
}
