/**
 * The synthetic bundle with a variant of its encoder in 8-bit integers, which may be damaged before it is written.
 */

import { describeFile, type Manifest, writeManifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { ModelProto } from "onnx-buf";
import {
  layOutModel,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../trainer/quantize/mod.ts";
import { type BundleFiles, makeSyntheticBundle } from "./synthetic_bundle.ts";

const FLOAT = "encoder.onnx";
/** The variant's path. */
export const INT8 = "encoder.int8.onnx";
const PARITY = {
  float: "0".repeat(64),
  tolerance: 0.05,
  cosineMin: 0.999,
  cosineMedian: 0.999,
  pictures: 1,
};

/**
 * Makes the bundle.
 *
 * @param options what to do to the variant, and whether the float encoder follows it
 */
export async function makeQuantizedBundle(
  options: { readonly change?: (proto: ModelProto) => void; readonly withFloat?: boolean } = {},
): Promise<BundleFiles> {
  const { change, withFloat = true } = options;
  const { files, manifest } = await makeSyntheticBundle();
  const int8 = await quantize(files.get(FLOAT) ?? new Uint8Array(), change);
  const [float] = manifest.encoders;
  const entry = {
    ...float,
    file: await describeFile(INT8, int8),
    precision: "int8",
    parity: PARITY,
  };
  const changed: Manifest = { ...manifest, encoders: withFloat ? [entry, float] : [entry] };
  return new Map(files).set(INT8, int8).set("manifest.json", writeManifest(changed));
}

async function quantize(
  float: Uint8Array<ArrayBuffer>,
  change: (proto: ModelProto) => void = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { model, report } = await quantizeModel(
    { proto: readModel(float), external: NO_EXTERNAL_DATA },
    { mode: "int8-dynamic" },
  );
  assert.ok(report.nodes.some(({ done }) => done !== undefined), "something is quantised");
  change(model.proto);
  const parts = await Array.fromAsync(layOutModel(model).model());
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** Sets the scale of the first quantised weights to zero. */
export function zeroScale(proto: ModelProto): void {
  const scale = proto.graph?.initializer.find(({ name }) => /scale/i.test(name));
  assert.ok(scale, "there is a scale");
  scale.rawData = new Uint8Array(scale.rawData?.length ?? 0);
}
