import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  TensorProto_DataLocation as DataLocation,
} from "onnx-buf";
import * as ort from "onnxruntime-web/wasm";
import { ONNX_IR_VERSION, ONNX_OPSET, OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";

ort.env.wasm.numThreads = 1;

/** `y = clip(x · w + 1, 0, 5)` on rows of two numbers, then the row's two halves side by side. */
function exampleGraph(): OnnxGraph {
  const graph = new OnnxGraph("example");
  const x = graph.input("x", ["batch", 2]);
  const w = graph.float32("w", [2, 2], [1, 2, 3, 4]);
  const one = graph.float32("one", [], [1]);
  const product = graph.node("Gemm", [x, w, one], "product", { beta: { float: 1 } });
  const five = graph.float32("five", [], [5]);
  const clipped = graph.node("Clip", [product, "", five], "clipped");
  const shape = graph.int64("shape", [3], [-1, 1, 2]);
  graph.output(graph.node("Reshape", [clipped, shape], "y"), ["batch", 1, 2]);
  return graph;
}

Deno.test("OnnxGraph writes a model that ONNX Runtime runs, with a batch of any size", async () => {
  const session = await ort.InferenceSession.create(exampleGraph().toBytes());
  for (const batch of [1, 2]) {
    const rows = [1, 0, 0.5, -1].slice(0, 2 * batch);
    const { y } = await session.run({
      x: new ort.Tensor("float32", Float32Array.from(rows), [batch, 2]),
    });
    assert.deepEqual(y.dims, [batch, 1, 2]);
    assert.deepEqual([...await y.getData() as Float32Array], [2, 3, -1.5, -2].slice(0, 2 * batch));
  }
  const { y } = await session.run({ x: new ort.Tensor("float32", [2, 2], [1, 2]) });
  assert.deepEqual(
    [...await y.getData() as Float32Array],
    [5, 5],
    "the upper limit is Clip's third",
  );
  await session.release();
});

Deno.test("toBytes() says its versions, names, shapes and element types", () => {
  const graph = new OnnxGraph("types");
  const ids = graph.input("ids", ["batch", 7], "int64");
  graph.output(graph.node("Identity", [ids], "same"), ["batch", 7], "int64");
  const model = fromBinary(ModelProtoSchema, graph.toBytes());
  assert.equal(model.irVersion, BigInt(ONNX_IR_VERSION));
  assert.deepEqual(model.opsetImport.map((set) => [set.domain, set.version]), [
    ["", BigInt(ONNX_OPSET)],
  ]);
  assert.equal(model.graph?.name, "types");
  for (const value of [...model.graph?.input ?? [], ...model.graph?.output ?? []]) {
    const type = value.type?.value;
    assert.ok(type?.case === "tensorType");
    assert.equal(type.value.elemType, 7, "7 is INT64 in the ONNX specification");
    assert.deepEqual(type.value.shape?.dim.map(({ value }) => value.value), ["batch", 7n]);
  }
  assert.deepEqual(model.graph?.input.map(({ name }) => name), ["ids"]);
  assert.deepEqual(model.graph?.output.map(({ name }) => name), ["same"]);
});

Deno.test("node() writes each kind of attribute with its ONNX type", () => {
  const graph = new OnnxGraph("attributes");
  const x = graph.input("x", [1]);
  graph.output(
    graph.node("Anything", [x], "y", {
      axis: { int: -1 },
      pads: { ints: [1, 2] },
      alpha: { float: 0.5 },
      mode: { string: "edge" },
    }),
    [1],
  );
  const node = fromBinary(ModelProtoSchema, graph.toBytes()).graph?.node[0];
  assert.equal(node?.opType, "Anything");
  assert.deepEqual(
    node.attribute.map(({ name, type, i, ints, f, s }) => [
      name,
      type,
      i,
      ints,
      f,
      new TextDecoder().decode(s),
    ]),
    [
      ["axis", AttributeType.INT, -1n, [], 0, ""],
      ["pads", AttributeType.INTS, 0n, [1n, 2n], 0, ""],
      ["alpha", AttributeType.FLOAT, 0n, [], 0.5, ""],
      ["mode", AttributeType.STRING, 0n, [], 0, "edge"],
    ],
  );
});

Deno.test("float32() and int64() write little-endian numbers and their shapes", () => {
  const graph = new OnnxGraph("constants");
  const floats = graph.float32("floats", [1, 2], [1, -0.1]);
  graph.int64("integers", [2], [-2, Number.MAX_SAFE_INTEGER]);
  graph.output(floats, [1, 2]);
  const [f, i] = fromBinary(ModelProtoSchema, graph.toBytes()).graph?.initializer ?? [];
  assert.deepEqual(f.dims, [1n, 2n]);
  assert.deepEqual([...f.rawData], [0, 0, 0x80, 0x3f, 0xcd, 0xcc, 0xcc, 0xbd]);
  assert.deepEqual(i.dims, [2n]);
  assert.deepEqual(
    [...i.rawData],
    [0xfe, ...Array(7).fill(0xff), ...Array(6).fill(0xff), 0x1f, 0],
  );
});

Deno.test("float32() takes a part of a Float32Array as it is", () => {
  const graph = new OnnxGraph("part");
  const all = Float32Array.of(1, 2, NaN, 4);
  graph.output(graph.float32("part", [2], all.subarray(0, 2)), [2]);
  graph.float32("last", [1], all.subarray(3));
  const written = fromBinary(ModelProtoSchema, graph.toBytes()).graph?.initializer ?? [];
  assert.deepEqual(
    written.map(({ rawData }) => [...new Float32Array(rawData.slice().buffer)]),
    [[1, 2], [4]],
  );
  assert.throws(() => graph.float32("nan", [3], all.subarray(1)), {
    name: "RangeError",
    message: 'Cannot add the float32 constant "nan": value 1, NaN, does not fit float32',
  });
});

Deno.test("external() names the place of numbers in another file, where the runtime reads them", async () => {
  const graph = new OnnxGraph("external");
  const x = graph.input("x", [2]);
  const w = graph.external("w", [2], { location: "weights.data", offset: 4 });
  const i = graph.external("i", [1], { location: "weights.data", offset: 16 }, "int64");
  const sum = graph.node("Add", [x, w], "sum");
  graph.output(graph.node("Gather", [sum, i], "y"), [1]);
  const bytes = graph.toBytes();

  const constants = fromBinary(ModelProtoSchema, bytes).graph?.initializer ?? [];
  assert.deepEqual(
    constants.map(({ name, dataLocation, externalData, rawData }) => [
      name,
      dataLocation,
      externalData.map(({ key, value }) => `${key} ${value}`),
      rawData.length,
    ]),
    [
      ["w", DataLocation.EXTERNAL, ["location weights.data", "offset 4", "length 8"], 0],
      ["i", DataLocation.EXTERNAL, ["location weights.data", "offset 16", "length 8"], 0],
    ],
  );

  const data = new Uint8Array(24);
  data.set(new Uint8Array(Float32Array.of(-1, 10, 20).buffer));
  data.set([1], 16);
  const session = await ort.InferenceSession.create(bytes, {
    externalData: [{ path: "weights.data", data }],
  });
  const { y } = await session.run({ x: new ort.Tensor("float32", [1, 2], [2]) });
  assert.deepEqual([...await y.getData() as Float32Array], [22]);
  await session.release();
});

Deno.test("toBytes() gives the same bytes when the same graph is built twice, or written twice", () => {
  const graph = exampleGraph();
  assert.deepEqual(graph.toBytes(), graph.toBytes());
  assert.deepEqual(exampleGraph().toBytes(), graph.toBytes());
});

Deno.test("toBytes() refuses a graph without an output", () => {
  const graph = new OnnxGraph("empty");
  graph.input("x", [1]);
  assert.throws(() => graph.toBytes(), {
    name: "TypeError",
    message: 'Cannot write the ONNX graph "empty": it has no output; declare one with output()',
  });
});

Deno.test("OnnxGraph refuses a name that is empty, taken or unknown", () => {
  const graph = new OnnxGraph("names");
  graph.input("x", [1]);
  const refused: readonly [() => unknown, string][] = [
    [() => new OnnxGraph(""), "Cannot start an ONNX graph: its name is empty"],
    [() => graph.input("", [1]), 'Cannot add the input "": its name is empty'],
    [() => graph.input("x", [1]), 'Cannot add the input "x": that name is taken; choose another'],
    [
      () => graph.float32("x", [1], [0]),
      'Cannot add the float32 constant "x": that name is taken; choose another',
    ],
    [
      () => graph.external("x", [1], { location: "weights.data", offset: 0 }),
      'Cannot add the float32 constant "x": that name is taken; choose another',
    ],
    [
      () => graph.external("y", [1], { location: "", offset: 0 }),
      'Cannot add the float32 constant "y": the location of its file is empty',
    ],
    [
      () => graph.node("Relu", ["x"], "x"),
      'Cannot add the node "x": that name is taken; choose another',
    ],
    [() => graph.node("", ["x"], "y"), 'Cannot add the node "" -> "y": its operator is empty'],
    [
      () => graph.node("Relu", ["z"], "y"),
      'Cannot add the node Relu -> "y": nothing in the graph makes its input "z"; add that first',
    ],
    [
      () => graph.output("y", [1]),
      'Cannot add the output "y": nothing in the graph makes it; add its node first',
    ],
  ];
  for (const [attempt, message] of refused) {
    assert.throws(attempt, { name: "TypeError", message });
  }
  graph.output("x", [1]);
  assert.throws(() => graph.output("x", [1]), {
    name: "TypeError",
    message: 'Cannot add the output "x": it is an output already; declare each output once',
  });
});

Deno.test("OnnxGraph refuses a shape or a number that the format cannot hold", () => {
  const graph = new OnnxGraph("numbers");
  const x = graph.input("x", [1]);
  const refused: readonly [() => unknown, string][] = [
    [
      () => graph.input("y", [0]),
      'Cannot add the input "y": a length must be a positive integer, got 0',
    ],
    [() => graph.input("y", [""]), 'Cannot add the input "y": the name of a length is empty'],
    [
      () => graph.output(x, [1.5]),
      'Cannot add the output "x": a length must be a positive integer, got 1.5',
    ],
    [
      () => graph.float32("y", [-1], []),
      'Cannot add the float32 constant "y": a length must be an integer of at least 0, got -1',
    ],
    [
      () => graph.float32("y", [2, 3], [1, 2, 3, 4, 5]),
      'Cannot add the float32 constant "y": the shape [2, 3] holds 6 values, got 5',
    ],
    [
      () => graph.float32("y", [2], [0, 1e39]),
      'Cannot add the float32 constant "y": value 1, 1e+39, does not fit float32',
    ],
    [
      () => graph.int64("y", [1], [0.5]),
      'Cannot add the int64 constant "y": value 0, 0.5, does not fit int64',
    ],
    [
      () => graph.external("y", [0.5], { location: "weights.data", offset: 0 }),
      'Cannot add the float32 constant "y": a length must be an integer of at least 0, got 0.5',
    ],
    [
      () => graph.external("y", [1], { location: "weights.data", offset: -4 }, "int64"),
      'Cannot add the int64 constant "y": its offset must be an integer of at least 0, got -4',
    ],
    [
      () => graph.node("Flatten", [x], "y", { axis: { int: 1.5 } }),
      'Cannot add the node Flatten -> "y": its attribute "axis" takes integers, got 1.5',
    ],
    [
      () => graph.node("LeakyRelu", [x], "y", { alpha: { float: NaN } }),
      'Cannot add the node LeakyRelu -> "y": its attribute "alpha" takes a finite float32, got NaN',
    ],
  ];
  for (const [attempt, message] of refused) {
    assert.throws(attempt, { name: "RangeError", message });
  }
  // What was refused left nothing behind: the name is still free.
  graph.output(graph.node("Relu", [x], "y"), [1]);
  const written = fromBinary(ModelProtoSchema, graph.toBytes()).graph;
  assert.deepEqual(written?.input.map(({ name }) => name), ["x"]);
  assert.deepEqual(written.initializer, []);
  assert.deepEqual(written.node.map(({ opType }) => opType), ["Relu"]);
});
