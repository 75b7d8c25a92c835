/**
 * A bundle with an image tower of random weights: it costs what a real one costs, and what it says means nothing.
 */

import { MANIFEST_PATH, parseManifest, writeManifest } from "@clip-e/shared";
import type { BundleFiles } from "../../synthetic_bundle.ts";
import { makeTowers, type ShapeName, type TowerKind } from "../quantized_latency/towers.ts";
import { makeBundle } from "../quantized_latency/worker_bundle.ts";

/**
 * How far a backend may be from the golden embedding. Where activations are rounded to 8 bits in every layer, the last bit of
 * a float decides some roundings, and these the next ones: backends differ by about as much as the rounding costs.
 */
const TOLERANCE = 0.05;

/**
 * Makes one.
 *
 * @param shape of its image tower
 * @param kind of its weights
 */
export async function makeRandomBundle(
  shape: ShapeName,
  kind: Extract<TowerKind, "float" | "int8-dynamic"> = "int8-dynamic",
): Promise<BundleFiles> {
  const tower = (await makeTowers(shape, ["int8-dynamic"])).get(kind);
  if (!tower) throw new Error(`There is no tower of the kind ${kind}`);
  const files = await makeBundle(tower, kind === "float" ? "float32" : "int8");
  const bytes = files.get(MANIFEST_PATH);
  if (!bytes) throw new Error("The bundle has no manifest");
  const manifest = parseManifest(JSON.parse(new TextDecoder().decode(bytes)));
  const golden = { ...manifest.golden, tolerance: TOLERANCE };
  files.set(MANIFEST_PATH, writeManifest({ ...manifest, golden }));
  return files;
}
