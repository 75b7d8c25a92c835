/**
 * A model's operators, read from its bytes.
 */

import assert from "node:assert/strict";
import { listOperators } from "../../edge/backend/onnx_operators.ts";
import { readModel } from "../../trainer/quantize/mod.ts";
import { makeTowerBundle } from "../tower_bundle.ts";

Deno.test("listOperators() finds what the schema's own reader finds", async () => {
  for (const [path, model] of await makeTowerBundle(["float32", "float16", "int8"])) {
    if (!path.endsWith(".onnx")) continue;
    const expected = new Set(readModel(model).graph?.node.map(({ opType }) => opType));
    assert.ok(expected.size > 5);
    assert.deepEqual(listOperators(model), expected);
  }
});

Deno.test("listOperators() finds operators in the bodies of branches", () => {
  const field = (
    number: number,
    ...content: number[]
  ) => [number * 8 + 2, content.length, ...content];
  const node = field(1, ...field(4, ..."Add".split("").map((c) => c.charCodeAt(0))));
  const branch = field(1, ...field(5, ...field(6, ...node)));
  const model = Uint8Array.from(field(7, ...branch));
  assert.deepEqual([...listOperators(model)], ["Add"]);
});

Deno.test("listOperators() refuses what is no model", () => {
  const text = new TextEncoder().encode("version https://git-lfs.example/spec/v1");
  assert.throws(() => listOperators(text), { name: "RangeError", message: /no ONNX model/ });
});
