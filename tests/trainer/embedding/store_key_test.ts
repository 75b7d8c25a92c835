import assert from "node:assert/strict";
import { CLIP_PREPROCESSING } from "@clip-e/shared";
import { computesInFloats, storeKey, storeName } from "../../../trainer/embedding/store_key.ts";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import {
  NO_EXTERNAL_DATA,
  type QuantizeMode,
  quantizeModel,
  readModel,
} from "../../../trainer/quantize/mod.ts";
import { seededRandom } from "../../random.ts";
import { KEY, makeEncoder } from "./made_up.ts";

/** A model with one product of 64 x 64. */
function makeModel(): Uint8Array<ArrayBuffer> {
  const graph = new OnnxGraph("example");
  graph.input("x", ["rows", 64]);
  graph.float32("w", [64, 64], seededRandom(3).floats(64 * 64));
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["rows", 64]);
  return graph.toBytes();
}

Deno.test("storeKey() leaves the backend out where it makes no difference", async () => {
  const encoder = await makeEncoder();
  const key = storeKey(encoder, 256, "native");
  assert.deepEqual(key, storeKey(encoder, 256, "wasm"));
  assert.deepEqual(key, {
    encoder: encoder.sha256,
    preprocessing: encoder.preprocessing,
    size: 256,
  });
});

Deno.test("storeKey() has the backend of an encoder that computes with integers", async () => {
  const graph = new OnnxGraph("integers");
  graph.input("x", ["rows", 4]);
  graph.output(graph.node("DynamicQuantizeLinear", ["x"], "y"), ["rows", 4]);
  const encoder = { ...await makeEncoder(), bytes: graph.toBytes() };
  assert.equal(storeKey(encoder, 4, "wasm").backend, "wasm");
  assert.equal(storeKey(encoder, 4, "native").backend, "native");
});

for (const mode of ["int8-dynamic", "int8-weights", "nbits8", "fp16"] satisfies QuantizeMode[]) {
  Deno.test(`computesInFloats() knows a model that was made smaller by ${mode}`, async () => {
    const proto = readModel(makeModel());
    assert.ok(computesInFloats(proto));
    const { model } = await quantizeModel({ proto, external: NO_EXTERNAL_DATA }, { mode });
    assert.ok(!computesInFloats(model.proto));
  });
}

Deno.test("storeName() depends on what a key says, not on how it was made", async () => {
  const { resize, crop, mean, std, interpolation } = CLIP_PREPROCESSING;
  const preprocessing = { interpolation, std, mean, crop, resize, resizeMode: "shortest" as const };
  const name = await storeName(KEY);
  assert.match(name, /^[0-9a-f]{32}$/);
  assert.equal(await storeName({ size: KEY.size, preprocessing, encoder: KEY.encoder }), name);
  const squashed = { ...preprocessing, resizeMode: "squash" as const };
  assert.notEqual(await storeName({ ...KEY, preprocessing: squashed }), name);
});
