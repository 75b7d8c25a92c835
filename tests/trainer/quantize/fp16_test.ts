import assert from "node:assert/strict";
import { TensorProto_DataType as DataType } from "onnx-buf";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { quantizeModel } from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";
import { seededRandom } from "../../random.ts";
import {
  bytesOf,
  countOperators,
  evaluate,
  initializers,
  modelOf,
  multiply,
  relativeError,
  runQuantized,
} from "./models.ts";

const SIZE = 12;
const random = seededRandom(21);
const X = random.floats(4 * SIZE);
const W = random.floats(SIZE * SIZE);
const FEEDS = { x: [[4, SIZE], X] } as const;

/** A layer of a transformer, as far as types go: a norm, a product, a softmax, a product, and the sum with what came in. */
function layer(): OnnxGraph {
  const graph = new OnnxGraph("layer");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  graph.float32("bias", [SIZE], random.floats(SIZE));
  graph.float32("gain", [SIZE], random.floats(SIZE).map((v) => v + 2));
  graph.float32("shift", [SIZE], random.floats(SIZE));
  graph.node("LayerNormalization", ["x", "gain", "shift"], "normed");
  graph.node("MatMul", ["normed", "w"], "product");
  graph.node("Add", ["product", "bias"], "biased");
  graph.node("Softmax", ["biased"], "weights");
  graph.node("MatMul", ["weights", "w"], "mixed");
  graph.output(graph.node("Add", ["x", "mixed"], "y"), ["rows", SIZE]);
  return graph;
}

Deno.test("quantizeModel() as fp16 takes and gives 32-bit floats, and keeps norms and softmax in them", async () => {
  const model = modelOf(layer());
  const { y: expected } = await evaluate(await bytesOf(model), FEEDS);
  const { outputs, model: made } = await runQuantized(model, { mode: "fp16" }, FEEDS);
  const error = relativeError(outputs.y.data, expected.data);
  assert.ok(error > 0 && error < 0.001, `${error}`);
  const types = Object.fromEntries(initializers(made).map((t) => [t.name, t.dataType]));
  assert.deepEqual(types, {
    gain: DataType.FLOAT,
    shift: DataType.FLOAT,
    w_fp16: DataType.FLOAT16,
    bias_fp16: DataType.FLOAT16,
  });
  // The residual sum is of floats, so that what goes into it is cast, and what comes out is not.
  assert.equal(countOperators(made).Cast, 4);
});

Deno.test("quantizeModel() as fp16 follows a graph from product to product without a cast in between", async () => {
  const graph = new OnnxGraph("chain");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  graph.float32("factor", [], [1.702]);
  graph.int64("shape", [3], [-1, 2, SIZE / 2]);
  graph.int64("flat", [2], [-1, SIZE]);
  graph.node("MatMul", ["x", "w"], "a");
  graph.node("Mul", ["a", "factor"], "b");
  graph.node("Sigmoid", ["b"], "c");
  graph.node("Mul", ["a", "c"], "d");
  graph.node("Reshape", ["d", "shape"], "e");
  graph.node("Transpose", ["e"], "f", { perm: { ints: [0, 2, 1] } });
  graph.node("Reshape", ["f", "flat"], "g");
  graph.output(graph.node("MatMul", ["g", "w"], "y"), ["rows", SIZE]);
  const model = modelOf(graph);
  const { y: expected } = await evaluate(await bytesOf(model), FEEDS);
  const { outputs, model: made } = await runQuantized(model, { mode: "fp16" }, FEEDS);
  const error = relativeError(outputs.y.data, expected.data);
  assert.ok(error > 0 && error < 0.002, `${error}`);
  assert.equal(countOperators(made).Cast, 2, "one where it begins, one where it ends");
});

Deno.test("quantizeModel() as fp16 leaves arithmetic on shapes as it is", async () => {
  const graph = new OnnxGraph("shapes");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  graph.int64("two", [1], [2]);
  graph.int64("first", [1], [0]);
  graph.node("MatMul", ["x", "w"], "a");
  graph.node("Shape", ["a"], "shape");
  graph.node("Gather", ["shape", "first"], "rows");
  graph.node("Div", ["rows", "two"], "half");
  graph.int64("rest", [1], [-1]);
  graph.node("Concat", ["half", "rest"], "halved", { axis: { int: 0 } });
  graph.output(graph.node("Reshape", ["a", "halved"], "y"), ["half", "double"]);
  const { outputs } = await runQuantized(modelOf(graph), { mode: "fp16" }, FEEDS);
  assert.deepEqual(outputs.y.dims, [2, 2 * SIZE]);
});

for (
  const [what, value] of [["65520, which rounds to infinity", 65520], ["-3.4e38", -3.4e38]] as const
) {
  Deno.test(`quantizeModel() as fp16 keeps a mask of ${what} in 32 bits, and the node that adds it`, async () => {
    const graph = new OnnxGraph("mask");
    graph.input("x", ["rows", SIZE]);
    graph.float32("w", [SIZE, SIZE], W);
    const mask = Float32Array.from({ length: SIZE }, (_, i) => i % 2 * value);
    graph.float32("mask", [SIZE], mask);
    graph.node("MatMul", ["x", "w"], "scores");
    graph.output(graph.node("Add", ["scores", "mask"], "y"), ["rows", SIZE]);
    const { outputs, model, report } = await runQuantized(
      modelOf(graph),
      { mode: "fp16" },
      FEEDS,
    );
    const expected = multiply(X, W, SIZE, SIZE).map((v, i) => v + mask[i % SIZE]);
    assert.ok(
      outputs.y.data.every((v, i) => Math.abs(v - expected[i]) < 0.02 + 1e-6 * Math.abs(v)),
    );
    const { left } = report.nodes.find(({ name }) => name === "y") ?? {};
    assert.equal(left, '"mask" holds numbers that 16 bits cannot');
    assert.deepEqual(initializers(model).map(({ name }) => name), ["mask", "w_fp16"]);
  });
}

Deno.test("quantizeModel() as fp16 stores nothing of a node that it leaves as halves", async () => {
  const graph = new OnnxGraph("large bias");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  graph.float32("c", [SIZE], W.subarray(0, SIZE).map((v) => 1e6 * v));
  graph.output(graph.node("Gemm", ["x", "w", "c"], "y"), ["rows", SIZE]);
  graph.float32("v", [SIZE, SIZE], W);
  graph.output(graph.node("MatMul", ["x", "v"], "z"), ["rows", SIZE]);
  const { model } = await runQuantized(modelOf(graph), { mode: "fp16" }, FEEDS);
  assert.deepEqual(initializers(model).map(({ name }) => name), ["w", "c", "v_fp16"]);
});

Deno.test("quantizeModel() as fp16 gives an output that is read inside, too, in 32 bits", async () => {
  const graph = new OnnxGraph("two outputs");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  graph.output(graph.node("MatMul", ["x", "w"], "a"), ["rows", SIZE]);
  graph.output(graph.node("MatMul", ["a", "w"], "b"), ["rows", SIZE]);
  graph.output(graph.node("Relu", ["b"], "c"), ["rows", SIZE]);
  const { outputs } = await runQuantized(modelOf(graph), { mode: "fp16" }, FEEDS);
  const a = multiply(X, W, SIZE, SIZE);
  const b = multiply(a, W, SIZE, SIZE);
  assert.ok(relativeError(outputs.a.data, a) < 0.001);
  assert.ok(relativeError(outputs.b.data, b) < 0.002);
  assert.ok(relativeError(outputs.c.data, b.map((v) => Math.max(v, 0))) < 0.002);
});

Deno.test("quantizeModel() as fp16 halves every part of a Split, and both branches of a sum", async () => {
  const graph = new OnnxGraph("split");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  graph.node("MatMul", ["x", "w"], "a");
  graph.node("Split", ["a"], "left", { axis: { int: 1 } });
  graph.node("Relu", ["left"], "right");
  graph.output(graph.node("Add", ["left", "right"], "y"), ["rows", SIZE / 2]);
  const model = modelOf(graph);
  // The writer knows operators of one output: the second one is put in by hand, in place of the node that held its name.
  const nodes = graphOf(model.proto).node;
  nodes[1].output.push("right");
  nodes.splice(2, 1);
  const { outputs, model: made } = await runQuantized(model, { mode: "fp16" }, FEEDS);
  const a = multiply(X, W, SIZE, SIZE);
  const half = SIZE / 2;
  const expected = Array.from({ length: 4 * half }, (_, i) => {
    const at = Math.floor(i / half) * SIZE + i % half;
    return a[at] + a[at + half];
  });
  assert.ok(relativeError(outputs.y.data, expected) < 0.002);
  assert.equal(countOperators(made).Cast, 2);
});

Deno.test("quantizeModel() as fp16 halves the file", async () => {
  const graph = new OnnxGraph("large");
  graph.input("x", ["rows", 200]);
  graph.float32("w", [200, 300], random.floats(200 * 300));
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["rows", 300]);
  const { report: { bytes } } = await quantizeModel(modelOf(graph), { mode: "fp16" });
  assert.ok(bytes.after < bytes.before * 0.505, `${bytes.after / bytes.before}`);
});
