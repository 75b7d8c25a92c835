/**
 * Bundles for the Worker that differ in their image encoder alone.
 */

import { openEncoder } from "@clip-e/edge/encoder";
import {
  CLIP_PREPROCESSING,
  describeFile,
  goldenInput,
  MANIFEST_PATH,
  writeGolden,
  writeManifest,
} from "@clip-e/shared";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import type { ModelFiles } from "../../../trainer/quantize/mod.ts";
import { type BundleFiles, makeSyntheticBundle } from "../../synthetic_bundle.ts";

const { crop, resize } = CLIP_PREPROCESSING;

/**
 * Puts an encoder into the synthetic bundle, whose heads and prompts take embeddings of CLIP's length.
 *
 * @param encoder `[N, 3, 224, 224]` to `[N, 512]`
 * @param precision of its weights, for the manifest
 */
export async function makeBundle(encoder: ModelFiles, precision: string): Promise<BundleFiles> {
  const { files, manifest } = await makeSyntheticBundle();
  const add = async (path: string, bytes: Uint8Array<ArrayBuffer>) => {
    files.set(path, bytes);
    return await describeFile(path, bytes);
  };
  const externalData = [];
  for (const { path, bytes } of encoder.externalData) externalData.push(await add(path, bytes));
  const [{ input: _, ...common }] = manifest.encoders;
  const encoders = [{
    ...common,
    file: await add("encoder.onnx", encoder.bytes),
    ...(externalData.length > 0 && { externalData }),
    precision,
    input: { resize, crop },
  }];
  const golden = {
    ...manifest.golden,
    file: await add("golden.safetensors", writeGolden(await encodeGolden(encoder))),
  };
  files.set(MANIFEST_PATH, writeManifest({ ...manifest, encoders, golden }));
  return files;
}

/** Makes an encoder that costs next to nothing: the picture's mean colour, projected. */
export function makeIdleEncoder(): ModelFiles {
  const size = 512;
  const graph = new OnnxGraph("idle");
  const pixels = graph.input("pixel_values", ["batch", 3, crop, crop]);
  const colour = graph.node("GlobalAveragePool", [pixels], "colour");
  const row = graph.node("Flatten", [colour], "row", { axis: { int: 1 } });
  const weights = Float32Array.from({ length: 3 * size }, (_, i) => Math.sin(i + 1));
  const projection = graph.float32("projection", [3, size], weights);
  graph.output(graph.node("MatMul", [row, projection], "image_embeds"), ["batch", size]);
  return { bytes: graph.toBytes(), externalData: [] };
}

async function encodeGolden({ bytes, externalData }: ModelFiles): Promise<Float32Array> {
  const encoder = await openEncoder(bytes, crop, { externalData });
  try {
    return await encoder.encode(goldenInput(CLIP_PREPROCESSING));
  } finally {
    await encoder.close();
  }
}
