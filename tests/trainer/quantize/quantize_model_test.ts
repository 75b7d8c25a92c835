import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { TrainerError } from "../../../trainer/errors.ts";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import {
  type OnnxModel,
  QUANTIZE_MODES,
  quantizeModel,
  WeightCache,
} from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";
import { seededRandom } from "../../random.ts";
import {
  bytesOf,
  countOperators,
  initializers,
  modelOf,
  relativeError,
  runQuantized,
} from "./models.ts";
import { checkOrder, EXPECTED, FEEDS, outcomes, product, SIZE, start } from "./small_product.ts";

const random = seededRandom(32);

/** Attention's three products of one activation, and two that share their weights. */
function attention(): OnnxModel {
  const graph = start();
  for (const name of ["q", "k", "v"]) {
    graph.float32(`${name}.weight`, [SIZE, SIZE], random.floats(SIZE * SIZE));
    graph.output(graph.node("MatMul", ["x", `${name}.weight`], `/layer.0/${name}`), [
      "rows",
      SIZE,
    ]);
  }
  graph.node("MatMul", ["/layer.0/q", "w"], "/layer.1/a");
  graph.output(graph.node("MatMul", ["/layer.1/a", "w"], "/layer.1/b"), ["rows", SIZE]);
  return modelOf(graph);
}

Deno.test("quantizeModel() quantises an activation once for all that read it", async () => {
  const { model } = await runQuantized(attention(), { mode: "int8-dynamic" }, FEEDS);
  const operators = countOperators(model);
  assert.equal(operators.MatMulInteger, 5);
  assert.equal(operators.DynamicQuantizeLinear, 3, "of x, of q and of a");
});

Deno.test("quantizeModel() stores weights once that several nodes read", async () => {
  for (const mode of QUANTIZE_MODES) {
    const { model } = await quantizeModel(attention(), { mode });
    const names = initializers(model, "w_").map(({ name }) => name);
    assert.equal(names.length, mode === "fp16" ? 1 : 2, `${mode}: ${names}`);
    assert.equal(initializers(model).filter(({ name }) => name === "w").length, 0);
  }
});

const KEPT = "it was to be kept";

for (
  const [keep, kept, unused] of [
    [["/layer.0/q"], ["/layer.0/q"], []],
    [["/layer.1/*"], ["/layer.1/a", "/layer.1/b"], []],
    [["w"], ["/layer.1/a", "/layer.1/b"], []],
    [["*.weight"], ["/layer.0/q", "/layer.0/k", "/layer.0/v"], []],
    [["/layer.0/k", "*/b"], ["/layer.0/k", "/layer.1/b"], []],
    [["/layer?0/*", "layer.0", "/LAYER.0/q"], [], ["/layer?0/*", "layer.0", "/LAYER.0/q"]],
    [["/layer.0/[qk]", "v.weight"], ["/layer.0/v"], ["/layer.0/[qk]"]],
  ] as const
) {
  Deno.test(`quantizeModel() keeps what fits ${keep.join(" or ")}`, async () => {
    for (const mode of QUANTIZE_MODES) {
      const { report } = await runQuantized(attention(), { mode, keep }, FEEDS);
      const found = Object.entries(outcomes(report)).filter(([, what]) => what === KEPT);
      assert.deepEqual(found.map(([name]) => name), kept);
      assert.deepEqual(report.unused, unused);
      assert.equal(report.nodes.filter(({ done }) => done === mode).length, 5 - kept.length);
    }
  });
}

Deno.test("quantizeModel() gives the model back, byte by byte, when all of it is kept", async () => {
  const model = attention();
  for (const mode of QUANTIZE_MODES) {
    const { model: made, report } = await quantizeModel(model, { mode, keep: ["*"] });
    assert.deepEqual(await bytesOf(made), await bytesOf(model));
    assert.equal(report.bytes.after, report.bytes.before);
  }
});

Deno.test("quantizeModel() changes nothing of the model that it is given, and a cache nothing of what it makes", async () => {
  const model = attention();
  const before = await bytesOf(model);
  for (const mode of QUANTIZE_MODES) {
    const cache = new WeightCache();
    for (const keep of [[], ["w"], ["/layer.0/*"], []]) {
      const cached = await quantizeModel(model, { mode, keep, cache });
      const again = await quantizeModel(model, { mode, keep });
      assert.deepEqual(await bytesOf(cached.model), await bytesOf(again.model));
    }
  }
  assert.deepEqual(await bytesOf(model), before);
});

Deno.test("quantizeModel() with a cache reads no weights a second time", async () => {
  const model = product();
  const cache = new WeightCache();
  await quantizeModel(model, { mode: "nbits4", cache });
  const [tensor] = initializers(model, "w");
  tensor.rawData = tensor.rawData.subarray(0, 8);
  await quantizeModel(model, { mode: "nbits4", cache });
  await assert.rejects(quantizeModel(model, { mode: "nbits4" }), TrainerError);
});

Deno.test("quantizeModel() takes weights that files of before IR version 4 list as inputs, too", async () => {
  for (const mode of QUANTIZE_MODES) {
    const model = product();
    const { input } = graphOf(model.proto);
    input.push(Object.assign(create(ValueInfoProtoSchema), input[0], { name: "w" }));
    model.proto.irVersion = 3n;
    const { outputs, model: made, report } = await runQuantized(model, { mode }, FEEDS);
    assert.deepEqual(outcomes(report), { y: mode });
    assert.deepEqual(graphOf(made.proto).input.map(({ name }) => name), ["x"]);
    assert.ok(relativeError(outputs.y.data, EXPECTED) < 0.09);
  }
});

Deno.test("quantizeModel() takes weights that lie in Constant nodes", async () => {
  for (const mode of QUANTIZE_MODES) {
    const model = product();
    const graph = graphOf(model.proto);
    const t = graph.initializer.pop();
    assert.ok(t);
    const value = create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t });
    graph.node.unshift(
      create(NodeProtoSchema, { opType: "Constant", output: ["w"], attribute: [value] }),
    );
    const { outputs, model: made, report } = await runQuantized(model, { mode }, FEEDS);
    assert.deepEqual(outcomes(report), { y: mode });
    assert.equal(countOperators(made).Constant, undefined);
    assert.ok(relativeError(outputs.y.data, EXPECTED) < 0.09);
    assert.ok(report.bytes.after < report.bytes.before);
  }
});

Deno.test("quantizeModel() keeps the names of inputs, outputs and values, and finds free ones for its own", async () => {
  const graph = start();
  // Names that the quantiser would choose.
  for (const name of ["x_uint8", "y_int32", "w_int8_axis1", "w_int4_blocks", "w_fp16", "x_fp16"]) {
    graph.float32(name, [SIZE], random.floats(SIZE));
  }
  graph.node("Add", ["x", "x_uint8"], "a_scale");
  graph.node("Add", ["a_scale", "y_int32"], "b");
  graph.node("Add", ["b", "w_int8_axis1"], "c");
  graph.node("Add", ["c", "w_int4_blocks"], "d");
  graph.node("Add", ["d", "w_fp16"], "e");
  graph.node("Add", ["e", "x_fp16"], "f");
  graph.node("MatMul", ["x", "w"], "y");
  graph.output(graph.node("Add", ["f", "y"], "z"), ["rows", SIZE]);
  graph.output("y", ["rows", SIZE]);
  for (const mode of QUANTIZE_MODES) {
    const { outputs, model } = await runQuantized(modelOf(graph), { mode }, FEEDS);
    assert.deepEqual(Object.keys(outputs).sort(), ["y", "z"]);
    assert.ok(relativeError(outputs.y.data, EXPECTED) < 0.09);
    checkOrder(model, ["x"]);
    const names = graphOf(model.proto).node.map(({ name }: NodeProto) => name);
    assert.equal(new Set(names).size, names.length, "no two nodes have one name");
  }
});

Deno.test("quantizeModel() tells of every node, and waits for who is told", async () => {
  const told: string[] = [];
  let isBusy = false;
  await quantizeModel(attention(), {
    mode: "int8-weights",
    async onProgress(done, total) {
      assert.ok(!isBusy);
      isBusy = true;
      await new Promise((resolve) => setTimeout(resolve, 1));
      isBusy = false;
      told.push(`${done}/${total}`);
    },
  });
  assert.deepEqual(told, ["1/5", "2/5", "3/5", "4/5", "5/5"]);
});

Deno.test("quantizeModel() says how long the files are, which shrink as their mode says", async () => {
  const side = 256;
  const graph = new OnnxGraph("large");
  graph.input("x", ["rows", side]);
  graph.float32("w", [side, side], random.floats(side * side));
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["rows", side]);
  const model = modelOf(graph);
  // Of 32-bit weights: 8 bits and a scale a column, 8 or 4 bits and a scale in 32, 16 bits; and a kilobyte for the graph.
  const shares = {
    "int8-dynamic": 1 / 4 + 1 / side,
    "int8-weights": 1 / 4 + 1 / side,
    nbits8: 1 / 4 + 1 / 32,
    nbits4: 1 / 8 + 1 / 32,
    fp16: 1 / 2,
  };
  for (const mode of QUANTIZE_MODES) {
    const { model: made, report: { bytes } } = await quantizeModel(model, { mode });
    assert.equal(bytes.before, (await bytesOf(model)).length);
    assert.equal(bytes.after, (await bytesOf(made)).length);
    const weights = shares[mode] * side * side * 4;
    assert.ok(bytes.after >= weights && bytes.after < weights + 1024, `${mode}: ${bytes.after}`);
  }
});
