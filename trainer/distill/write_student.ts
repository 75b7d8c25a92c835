/**
 * A finished student on disk: an encoder as model hubs lay them out, for `--encoder` of the other commands.
 */

import type { Preprocessing } from "@clip-e/shared";
import { dirname, join } from "node:path";

/**
 * Writes an encoder, and beside it how it wants its pictures.
 *
 * @param path of the ONNX file; its folder is made
 * @param encoder ONNX
 * @param preprocessing what `preprocessor_config.json` says
 */
export async function writeStudent(
  path: string,
  encoder: Uint8Array,
  preprocessing: Preprocessing,
): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const { resize, crop, mean, std, interpolation, resizeMode } = preprocessing;
  const config = {
    do_resize: true,
    size: resizeMode === "squash" ? { height: resize, width: resize } : { shortest_edge: resize },
    resample: interpolation === "bicubic" ? 3 : 2,
    do_center_crop: true,
    crop_size: { height: crop, width: crop },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  };
  const text = JSON.stringify(config, null, 2) + "\n";
  await writeWhole(join(dirname(path), "preprocessor_config.json"), new TextEncoder().encode(text));
  await writeWhole(path, encoder);
}

/** Puts a file in its place when all of it is written. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.${crypto.randomUUID()}.part`;
  try {
    await Deno.writeFile(part, bytes);
    await Deno.rename(part, path);
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw error;
  }
}
