/**
 * Bundles for the Worker that differ in their image encoder alone.
 */

import { openEncoder } from "@clip-e/edge/encoder";
import {
  CLIP_PREPROCESSING,
  describeFile,
  goldenInput,
  type Manifest,
  MANIFEST_PATH,
  type Preprocessing,
  writeGolden,
  writeManifest,
} from "@clip-e/shared";
import { preprocessingOf } from "../../../edge/proven_encoder.ts";
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
    file: await add(
      "golden.safetensors",
      writeGolden(await encodeGolden(encoder, CLIP_PREPROCESSING)),
    ),
  };
  files.set(MANIFEST_PATH, writeManifest({ ...manifest, encoders, golden }));
  return files;
}

/** An encoder's shape. */
export interface EncoderShape {
  /** S, in pixels. */
  readonly crop: number;
  /** D */
  readonly size: number;
}

/**
 * Makes an encoder that costs next to nothing: the picture's mean colour, projected.
 *
 * @param shape `[N, 3, S, S]` to `[N, D]`, by default CLIP's
 */
export function makeIdleEncoder(shape: EncoderShape = { crop, size: 512 }): ModelFiles {
  const { crop, size } = shape;
  const graph = new OnnxGraph("idle");
  const pixels = graph.input("pixel_values", ["batch", 3, crop, crop]);
  const colour = graph.node("GlobalAveragePool", [pixels], "colour");
  const row = graph.node("Flatten", [colour], "row", { axis: { int: 1 } });
  const weights = Float32Array.from({ length: 3 * size }, (_, i) => Math.sin(i + 1));
  const projection = graph.float32("projection", [3, size], weights);
  graph.output(graph.node("MatMul", [row, projection], "image_embeds"), ["batch", size]);
  return { bytes: graph.toBytes(), externalData: [] };
}

/**
 * Makes a bundle that differs from another in nothing but that its encoder is idle: what its requests take is what those of
 * the other take besides encoding.
 *
 * @param files of the other
 * @param manifest of the other
 */
export async function makeIdleTwin(files: BundleFiles, manifest: Manifest): Promise<BundleFiles> {
  const [{ externalData: _, ...entry }] = manifest.encoders;
  const { crop } = entry.input;
  const idle = makeIdleEncoder({ crop, size: manifest.embeddingSpace.size });
  const golden = writeGolden(await encodeGolden(idle, preprocessingOf(entry)));
  const paths = { encoder: "idle.onnx", golden: "idle.safetensors" };
  const twin: Manifest = {
    ...manifest,
    encoders: [{
      ...entry,
      file: await describeFile(paths.encoder, idle.bytes),
      backends: ["wasm"],
    }],
    golden: { ...manifest.golden, file: await describeFile(paths.golden, golden) },
  };
  return new Map([
    ...files,
    [paths.encoder, idle.bytes],
    [paths.golden, golden],
    [MANIFEST_PATH, writeManifest(twin)],
  ]);
}

async function encodeGolden(
  { bytes, externalData }: ModelFiles,
  spec: Preprocessing,
): Promise<Float32Array> {
  const encoder = await openEncoder(bytes, spec.crop, { externalData });
  try {
    return await encoder.encode(goldenInput(spec));
  } finally {
    await encoder.close();
  }
}
