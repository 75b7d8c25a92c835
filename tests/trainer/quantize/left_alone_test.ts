/**
 * What the quantiser lets pass as it is, and what it refuses.
 */

import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { type OnnxModel, QUANTIZE_MODES, quantizeModel } from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";
import { makeTensor } from "../../../trainer/quantize/tensor.ts";
import { seededRandom } from "../../random.ts";
import {
  bytesOf,
  evaluate,
  initializers,
  modelOf,
  nodeBytes,
  relativeError,
  runQuantized,
} from "./models.ts";
import {
  checkOrder,
  EXPECTED,
  FEEDS,
  outcomes,
  product,
  SIZE,
  start,
  W,
  X,
} from "./small_product.ts";

const random = seededRandom(32);

Deno.test("quantizeModel() lets products of two activations pass, and says so", async () => {
  const graph = start();
  graph.node("MatMul", ["x", "w"], "a");
  graph.node("Transpose", ["x"], "turned");
  graph.output(graph.node("MatMul", ["a", "turned"], "y"), ["rows", "rows"]);
  for (const mode of ["int8-dynamic", "int8-weights", "nbits8", "nbits4"] as const) {
    const { report } = await runQuantized(modelOf(graph), { mode }, FEEDS);
    assert.deepEqual(outcomes(report), { a: mode, y: "its weights are not constant" });
    assert.deepEqual(report.others, { Transpose: 1 });
  }
});

Deno.test("quantizeModel() lets weights pass that are not a matrix, and says their shape", async () => {
  const graph = start();
  graph.float32("vector", [SIZE], random.floats(SIZE));
  graph.float32("stack", [2, SIZE, 4], random.floats(8 * SIZE));
  graph.output(graph.node("MatMul", ["x", "vector"], "y"), ["rows"]);
  graph.output(graph.node("MatMul", ["x", "stack"], "z"), [2, "rows", 4]);
  for (const mode of ["int8-dynamic", "int8-weights", "nbits8", "nbits4"] as const) {
    const { report } = await runQuantized(modelOf(graph), { mode }, FEEDS);
    assert.deepEqual(outcomes(report), {
      y: `its weights are of shape [${SIZE}], not a matrix`,
      z: `its weights are of shape [2,${SIZE},4], not a matrix`,
    });
  }
});

Deno.test("quantizeModel() lets weights pass that callers may replace", async () => {
  const graph = start();
  graph.input("given", [SIZE, SIZE]);
  graph.output(graph.node("MatMul", ["x", "given"], "y"), ["rows", SIZE]);
  const model = modelOf(graph);
  graphOf(model.proto).initializer.push(makeTensor("given", [SIZE, SIZE], W.slice()));
  const { report } = await quantizeModel(model, { mode: "int8-dynamic" });
  assert.deepEqual(outcomes(report), { y: "its weights are not constant" });
});

for (const [domain, operator] of [["org.example", "Frobnicate"], ["", "constructor"]] as const) {
  Deno.test(`quantizeModel() leaves ${domain}.${operator}, which it does not know, as it is, byte by byte`, async () => {
    const graph = start();
    graph.float32("v", [SIZE, SIZE], W);
    graph.node("MatMul", ["x", "w"], "a");
    graph.node(operator, ["a", "v"], "b", { times: { int: 3 } });
    graph.output(graph.node("MatMul", ["b", "w"], "y"), ["rows", SIZE]);
    const model = modelOf(graph);
    const strange = graphOf(model.proto).node[1];
    strange.domain = domain;
    for (const mode of QUANTIZE_MODES) {
      const { model: made, report } = await quantizeModel(model, { mode });
      const { b, ...products } = outcomes(report);
      const isOfOnnx = domain === "";
      assert.equal(b, isOfOnnx ? undefined : "its operator, of org.example, is not known");
      assert.deepEqual(Object.entries(report.others), isOfOnnx ? [[operator, 1]] : []);
      assert.deepEqual(products, { a: mode, y: mode });
      const { node, initializer } = graphOf(made.proto);
      const left = node.find(({ opType }) => opType === operator);
      assert.ok(left);
      assert.deepEqual(nodeBytes(left), nodeBytes(strange));
      assert.ok(initializer.some(({ name }) => name === "v"));
      checkOrder(made, ["x"]);
    }
  });
}

/** A branch that gives a value of the graph around it, by an operator. */
function branch(operator: string, inputs: readonly string[], output: string) {
  return create(GraphProtoSchema, {
    name: output,
    node: [create(NodeProtoSchema, { opType: operator, input: [...inputs], output: [output] })],
    output: [create(ValueInfoProtoSchema, { name: output })],
  });
}

Deno.test("quantizeModel() leaves graphs inside nodes as they are, with all that they read, and says so", async () => {
  const graph = start();
  graph.float32("zero", [], [0]);
  graph.node("MatMul", ["x", "w"], "a");
  graph.node("ReduceMax", ["x"], "largest", { keepdims: { int: 0 } });
  graph.node("Greater", ["largest", "zero"], "is_positive");
  graph.node("If", ["is_positive"], "chosen");
  graph.output(graph.node("MatMul", ["chosen", "w"], "y"), ["rows", SIZE]);
  const model = modelOf(graph);
  const [then, otherwise] = [branch("MatMul", ["a", "w"], "t"), branch("Neg", ["a"], "e")];
  const choice = graphOf(model.proto).node[3];
  choice.attribute = Object.entries({ then_branch: then, else_branch: otherwise }).map((
    [name, g],
  ) => create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g }));
  for (const mode of QUANTIZE_MODES) {
    for (const sign of [1, -1]) {
      const feeds = { x: [[3, SIZE], X.map((v) => sign * Math.abs(v))] } as const;
      const expected = await evaluate(await bytesOf(model), feeds);
      const { outputs, model: made, report } = await runQuantized(model, { mode }, feeds);
      const error = relativeError(outputs.y.data, expected.y.data);
      assert.ok(error > 0 && error < 0.1, `${mode}: ${error}`);
      assert.equal(
        outcomes(report).chosen,
        "it holds graphs of its own, which are left as they are",
      );
      const left = graphOf(made.proto).node.find(({ opType }) => opType === "If");
      assert.ok(left);
      assert.deepEqual(nodeBytes(left), nodeBytes(choice));
      assert.ok(initializers(made).some(({ name }) => name === "w"), "the branch reads it");
    }
  }
});

Deno.test("quantizeModel() refuses a model that is quantised already, and says by which node", async () => {
  for (const mode of ["int8-dynamic", "int8-weights", "nbits8", "nbits4"] as const) {
    const { model } = await quantizeModel(product(), { mode });
    for (const again of QUANTIZE_MODES) {
      await assert.rejects(quantizeModel(model, { mode: again }), {
        name: "TrainerError",
        message: /quantised already \(\S+ is a \w+\). Start from its float file$/,
      });
    }
  }
});

Deno.test("quantizeModel() lets a model of halves pass, and says so", async () => {
  const { model } = await quantizeModel(product(), { mode: "fp16" });
  for (const mode of QUANTIZE_MODES) {
    const { model: made, report } = await quantizeModel(model, { mode });
    assert.deepEqual(await bytesOf(made), await bytesOf(model));
    if (mode !== "fp16") {
      assert.deepEqual(Object.values(outcomes(report)), ["its weights are FLOAT16, not FLOAT"]);
    }
  }
});

for (const value of [NaN, Infinity, -Infinity]) {
  Deno.test(`quantizeModel() refuses weights that hold ${value}, by their name`, async () => {
    for (const mode of QUANTIZE_MODES) {
      const model = product();
      const weights = W.slice();
      weights[7] = value;
      graphOf(model.proto).initializer[0] = makeTensor("w", [SIZE, SIZE], weights);
      await assert.rejects(quantizeModel(model, { mode }), {
        name: "TrainerError",
        message: new RegExp(`weights "w": number 7 is ${value}`),
      });
      await quantizeModel(model, { mode, keep: ["w"] });
    }
  });
}

Deno.test("quantizeModel() refuses weights that hold fewer numbers than their shape says", async () => {
  for (const mode of QUANTIZE_MODES) {
    const model = product();
    const [tensor] = initializers(model);
    tensor.rawData = tensor.rawData.subarray(4);
    await assert.rejects(quantizeModel(model, { mode }), {
      name: "TrainerError",
      message: /"w": it holds 6396 bytes, and its shape \[40,40\] takes 6400/,
    });
  }
});

/** The product in an older operator set, with a node after it. */
function older(opset: number, operator: string): OnnxModel {
  const graph = start();
  graph.node("MatMul", ["x", "w"], "a");
  graph.output(graph.node(operator, ["a"], "y"), ["rows", SIZE]);
  const model = modelOf(graph);
  model.proto.opsetImport[0].version = BigInt(opset);
  return model;
}

Deno.test("quantizeModel() raises the operator set as far as the mode needs, and no further", async () => {
  for (
    const [mode, from, to] of [
      ["int8-dynamic", 8, 11],
      ["int8-dynamic", 12, 12],
      ["int8-weights", 8, 8],
      ["int8-weights", 13, 13],
      ["nbits8", 8, 8],
      ["fp16", 8, 8],
    ] as const
  ) {
    const model = older(from, "Relu");
    const { outputs, model: made } = await runQuantized(model, { mode }, FEEDS);
    assert.equal(made.proto.opsetImport[0].version, BigInt(to));
    const expected = EXPECTED.map((v) => Math.max(0, v));
    assert.ok(relativeError(outputs.y.data, expected) < 0.01, `${mode}`);
  }
});

Deno.test("quantizeModel() does not raise the operator set over a change of an operator, and says which", async () => {
  const options = { mode: "int8-dynamic" } as const;
  await assert.rejects(quantizeModel(older(10, "Clip"), options), {
    name: "TrainerError",
    message: /from operator set 10 to 11: y is a Clip, which changed in between; convert it to/,
  });
  await assert.rejects(quantizeModel(older(9, "TopK"), options), /y is a TopK/);
  await quantizeModel(older(11, "Clip"), options);
  await quantizeModel(older(10, "TopK"), options);
  await assert.rejects(quantizeModel(older(6, "Relu"), options), /of operator set 6: convert it/);
});
