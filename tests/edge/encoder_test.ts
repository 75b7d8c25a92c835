import { openEncoder } from "@clip-e/edge/encoder";
import assert from "node:assert/strict";
import { OnnxGraph } from "../../trainer/encoder/onnx_graph.ts";

/** A model that gives what it is given, or something made of it by one operator. */
function model(node: (graph: OnnxGraph) => void, shape: readonly (number | string)[]): Uint8Array {
  const graph = new OnnxGraph("test");
  graph.input("pixel_values", ["batch", 3, 8, 8]);
  node(graph);
  graph.output("image_embeds", shape);
  return graph.toBytes();
}

const PIXELS = Float32Array.from({ length: 3 * 8 * 8 }, (_, i) => i / 100);

Deno.test("openEncoder() gives the embedding of one picture", async () => {
  const encoder = await openEncoder(
    model((g) => g.node("Flatten", ["pixel_values"], "image_embeds", { axis: { int: 1 } }), [
      "batch",
      192,
    ]),
    8,
  );
  assert.deepEqual(await encoder.encode(PIXELS), PIXELS);
  await assert.rejects(encoder.encode(PIXELS.subarray(1)), RangeError);
  await encoder.close();
});

Deno.test("openEncoder() refuses an output that is no embedding", async () => {
  const encoder = await openEncoder(
    model((g) => g.node("Relu", ["pixel_values"], "image_embeds"), ["batch", 3, 8, 8]),
    8,
  );
  await assert.rejects(encoder.encode(PIXELS), { code: "invalid-bundle", message: /1,3,8,8/ });
  await encoder.close();
});

Deno.test("openEncoder() refuses numbers that are not finite", async () => {
  const encoder = await openEncoder(
    model((g) => {
      g.node("Log", ["pixel_values"], "logs");
      g.node("Flatten", ["logs"], "image_embeds", { axis: { int: 1 } });
    }, ["batch", 192]),
    8,
  );
  await assert.rejects(encoder.encode(PIXELS), { code: "internal", message: /finite/ });
  await encoder.close();
});
