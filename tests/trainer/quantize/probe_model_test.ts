import assert from "node:assert/strict";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { makeProbe, quantizeModel, type QuantizeOptions } from "../../../trainer/quantize/mod.ts";
import { seededRandom } from "../../random.ts";
import { bytesOf, evaluate, modelOf } from "./models.ts";

const SIZE = 32;
const random = seededRandom(71);
const X = random.floats(3 * SIZE);

/** A product, a sum with another, and a `Gemm` that ends in the output. */
function threeProducts() {
  const graph = new OnnxGraph("model");
  graph.input("x", ["rows", SIZE]);
  for (const name of ["a", "b", "c"]) graph.float32(name, [SIZE, SIZE], random.floats(SIZE * SIZE));
  graph.float32("bias", [SIZE], random.floats(SIZE));
  const first = graph.node("MatMul", ["x", "a"], "first");
  const second = graph.node("MatMul", [first, "b"], "second");
  const sum = graph.node("Add", [first, second], "sum");
  graph.output(graph.node("Gemm", [sum, "c", "bias"], "y"), ["rows", SIZE]);
  return modelOf(graph);
}

const MODEL = threeProducts();
const NAMES = ["first", "second", "y"];
const WAYS: readonly QuantizeOptions[] = [
  { mode: "int8-dynamic" },
  { mode: "int8-dynamic", perTensor: true },
  { mode: "int8-weights" },
  { mode: "nbits8" },
  { mode: "nbits4" },
];

for (const options of WAYS) {
  const way = `${options.mode}${options.perTensor ? ", with one scale for a node" : ""}`;
  Deno.test(`makeProbe() quantises each choice of nodes as quantizeModel() does: ${way}`, async () => {
    const probe = await makeProbe(MODEL, options, new Set(NAMES));
    assert.deepEqual(probe.names, NAMES);
    const bytes = await bytesOf(probe.model);
    const outputs = new Set<string>();
    for (let choice = 0; choice < 8; choice++) {
      const switches = Float32Array.from(NAMES, (_, i) => choice >> i & 1);
      const probed = await evaluate(bytes, {
        x: [[3, SIZE], X],
        [probe.switches]: [[3], switches],
      });
      const keep = NAMES.filter((_, i) => switches[i] === 0);
      const { model } = await quantizeModel(MODEL, { ...options, keep });
      const { y } = await evaluate(await bytesOf(model), { x: [[3, SIZE], X] });
      // Sums in another order; errors of quantised weights are 100 times as large.
      const largest = Math.max(...y.data.map((v, i) => Math.abs(v - probed.y.data[i])));
      const size = Math.max(...y.data.map(Math.abs));
      assert.ok(largest < 1e-4 * size, `${keep}: ${largest / size}`);
      outputs.add(y.data.slice(0, 8).join());
    }
    assert.equal(outputs.size, 8);
  });
}

Deno.test("makeProbe() gives switches to the nodes that it was told of, and leaves the model alone", async () => {
  const before = await bytesOf(MODEL);
  const { names } = await makeProbe(MODEL, { mode: "int8-dynamic" }, new Set(["second", "sum"]));
  assert.deepEqual(names, ["second"]);
  assert.deepEqual(await bytesOf(MODEL), before);
});
