/**
 * The synthetic bundle with a small image tower of CLIP's build as its encoder, in whichever precisions a test asks for: what
 * transformers are made of, and as few of it as will do.
 */

import {
  describeFile,
  goldenInput,
  type Manifest,
  writeGolden,
  writeManifest,
} from "@clip-e/shared";
import { preprocessingOf } from "../edge/classifier.ts";
import { openEncoder } from "../edge/encoder.ts";
import {
  layOutModel,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../trainer/quantize/mod.ts";
import { CLIP_SHAPES, makeVisionTower } from "./clip_towers.ts";
import { type BundleFiles, makeSyntheticBundle } from "./synthetic_bundle.ts";

/** Its modes of quantisation, and how near it comes to the float one. */
const VARIANTS = {
  float32: { backends: ["wasm", "native", "webgpu"] },
  float16: { mode: "fp16", backends: ["webgpu"], tolerance: 0.01 },
  int8: { mode: "int8-dynamic", backends: ["wasm", "native"], tolerance: 0.1 },
} as const;

/** A precision that the encoder can be had in. */
export type TowerPrecision = keyof typeof VARIANTS;

/**
 * Makes the bundle.
 *
 * @param precisions of its encoders, best first
 * @param backends what each is for, in place of what is usual
 */
export async function makeTowerBundle(
  precisions: readonly TowerPrecision[] = ["float32"],
  backends: Readonly<Partial<Record<TowerPrecision, string[]>>> = {},
): Promise<BundleFiles> {
  const { files: synthetic, manifest } = await makeSyntheticBundle();
  const files: BundleFiles = new Map(synthetic);
  files.delete("encoder.onnx");
  const [usual] = manifest.encoders;
  const shape = { ...CLIP_SHAPES.tiny, projection: manifest.embeddingSpace.size };
  const { model } = makeVisionTower(shape);
  const encoders: Manifest["encoders"] = [];
  for (const precision of precisions) {
    const variant = VARIANTS[precision];
    const bytes = "mode" in variant ? await quantize(model, variant.mode) : model;
    const path = `encoder.${precision}.onnx`;
    files.set(path, bytes);
    encoders.push({
      ...usual,
      file: await describeFile(path, bytes),
      precision,
      backends: backends[precision] ?? [...variant.backends],
      ...("tolerance" in variant && { parity: parityOf(variant.tolerance) }),
    });
  }
  const encoder = await openEncoder(model, usual.input.crop);
  const golden = writeGolden(await encoder.encode(goldenInput(preprocessingOf(usual))));
  await encoder.close();
  files.set("golden.safetensors", golden);
  const file = await describeFile("golden.safetensors", golden);
  const changed: Manifest = { ...manifest, encoders, golden: { ...manifest.golden, file } };
  return files.set("manifest.json", writeManifest(changed));
}

function parityOf(tolerance: number) {
  const float = "0".repeat(64);
  return { float, tolerance, cosineMin: 0.99, cosineMedian: 0.99, pictures: 1 };
}

async function quantize(
  model: Uint8Array<ArrayBuffer>,
  mode: "fp16" | "int8-dynamic",
): Promise<Uint8Array<ArrayBuffer>> {
  const open = { proto: readModel(model), external: NO_EXTERNAL_DATA };
  const made = layOutModel((await quantizeModel(open, { mode })).model);
  const parts = await Array.fromAsync(made.model());
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
