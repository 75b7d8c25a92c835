/**
 * What is measured: CLIP's image towers in their true shapes with random weights, which cost what the real ones cost, as
 * they are and quantised.
 */

import {
  type ModelFiles,
  modelFiles,
  NO_EXTERNAL_DATA,
  type QuantizeMode,
  quantizeModel,
  type QuantizeOptions,
  readModel,
} from "../../../trainer/quantize/mod.ts";
import { CLIP_SHAPES, makeVisionTower } from "../../clip_towers.ts";

/** The shapes, and what people call them. */
export const TITLES = { "vit-b-32": "ViT-B/32", "vit-8m-16": "ViT-8M/16" } as const;

/** A shape's name. */
export type ShapeName = keyof typeof TITLES;

/** What a tower's weights are. */
export type TowerKind = "float" | QuantizeMode;

/**
 * As `deno task build` quantises: filters of convolutions are only stored as bytes. That command also leaves in floats what
 * a real model needs so; these need nothing.
 */
const AS_BUILT: Partial<Readonly<Record<QuantizeMode, Partial<QuantizeOptions>>>> = {
  "int8-dynamic": { conv: "weights" },
};

/**
 * Makes a shape's image tower, float and quantised.
 *
 * @param shape of the tower
 * @param modes to quantise it by
 */
export async function makeTowers(
  shape: ShapeName,
  modes: readonly QuantizeMode[],
): Promise<ReadonlyMap<TowerKind, ModelFiles>> {
  const { model: bytes } = makeVisionTower(CLIP_SHAPES[shape]);
  const towers = new Map<TowerKind, ModelFiles>([["float", { bytes, externalData: [] }]]);
  for (const mode of modes) {
    const model = { proto: readModel(bytes), external: NO_EXTERNAL_DATA };
    const quantised = await quantizeModel(model, { mode, ...AS_BUILT[mode] });
    towers.set(mode, await modelFiles(quantised.model));
  }
  return towers;
}
