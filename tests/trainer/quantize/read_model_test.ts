import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from "onnx-buf";
import { TrainerError } from "../../../trainer/errors.ts";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { NO_EXTERNAL_DATA, readModel } from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";
import { makeTensor, readFloats } from "../../../trainer/quantize/tensor.ts";
import { bytesOf, modelOf } from "./models.ts";

const WEIGHTS = [1.5, -2, 3, 0.25, 5, 65504];

function example(): OnnxGraph {
  const graph = new OnnxGraph("example");
  graph.input("x", ["rows", 2]);
  graph.float32("w", [2, 3], WEIGHTS);
  graph.int64("shape", [1], [-1]);
  graph.node("MatMul", ["x", "w"], "y");
  graph.output(graph.node("Reshape", ["y", "shape"], "z"), ["numbers"]);
  return graph;
}

Deno.test("readModel() holds weights as views of the file", () => {
  const bytes = example().toBytes();
  const { initializer } = graphOf(readModel(bytes));
  assert.deepEqual(initializer.map(({ name }) => name), ["w", "shape"]);
  for (const { rawData } of initializer) assert.equal(rawData.buffer, bytes.buffer);
});

Deno.test("readModel() and a ModelLayout lose nothing of a model", async () => {
  const model = modelOf(example());
  model.proto.docString = "of the model";
  model.proto.metadataProps.push(
    create(StringStringEntryProtoSchema, { key: "licence", value: "MIT" }),
  );
  const [w] = graphOf(model.proto).initializer;
  w.docString = "of the weights";
  const bytes = await bytesOf(model);
  assert.deepEqual(readModel(bytes), model.proto);
  assert.equal(bytes.length, toBinary(ModelProtoSchema, model.proto).length);
});

const HALVES = Float16Array.from(WEIGHTS);

/** The weights in the fields that the format allows, as the properties of a tensor. */
const FIELDS = {
  "floats of their own field": { dataType: DataType.FLOAT, floatData: WEIGHTS },
  "halves": { dataType: DataType.FLOAT16, rawData: new Uint8Array(HALVES.buffer) },
  "halves in the field of integers": {
    dataType: DataType.FLOAT16,
    int32Data: [...new Uint16Array(HALVES.buffer)],
  },
};

for (const [what, fields] of Object.entries(FIELDS)) {
  Deno.test(`readFloats() reads ${what}, also after a file`, async () => {
    const { proto } = modelOf(example());
    const made = create(TensorProtoSchema, { name: "w", dims: [2n, 3n], ...fields });
    assert.deepEqual([...await readFloats(made, NO_EXTERNAL_DATA)], WEIGHTS);
    graphOf(proto).initializer[0] = made;
    // A byte more before them moves the floats off their boundary.
    for (const producerName of ["", "a", "ab", "abc"]) {
      proto.producerName = producerName;
      const [read] = graphOf(readModel(toBinary(ModelProtoSchema, proto))).initializer;
      assert.deepEqual([...await readFloats(read, NO_EXTERNAL_DATA)], WEIGHTS);
      made.dims[0] = 3n;
      const [damaged] = graphOf(readModel(toBinary(ModelProtoSchema, proto))).initializer;
      made.dims[0] = 2n;
      await assert.rejects(readFloats(damaged, NO_EXTERNAL_DATA), {
        name: "TrainerError",
        message: /Cannot read the weights "w": it holds .* shape .*3,3/,
      });
    }
  });
}

Deno.test("readFloats() names the type of what holds no floats", async () => {
  const tensor = makeTensor("ids", [2], BigInt64Array.of(1n, 2n));
  await assert.rejects(readFloats(tensor, NO_EXTERNAL_DATA), /"ids": it is of type INT64, not/);
});

Deno.test("readModel() refuses a file that was cut off anywhere, in a sentence", () => {
  const bytes = example().toBytes();
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readModel(bytes.slice(0, length), "half.onnx"), (error) => {
      assert.ok(error instanceof TrainerError, `${length}: ${error}`);
      assert.match(error.message, /^Cannot read half\.onnx: .+/);
      return true;
    });
  }
});

Deno.test("readModel() refuses what is no model, in a sentence", () => {
  const noise = Uint8Array.from({ length: 1000 }, (_, i) => i * 7919 % 251);
  for (const bytes of [noise, new TextEncoder().encode("<!doctype html>")]) {
    assert.throws(() => readModel(new Uint8Array(bytes)), TrainerError);
  }
});

Deno.test("readModel() refuses a graph that reads what nothing makes, and says what", () => {
  const model = modelOf(example()).proto;
  graphOf(model).initializer.shift();
  assert.throws(() => readModel(toBinary(ModelProtoSchema, model)), {
    name: "TrainerError",
    message: /nothing makes "w", which y reads/,
  });
});

Deno.test("readModel() refuses weights in another file that only a node holds", () => {
  const model = modelOf(example()).proto;
  const t = create(TensorProtoSchema, { dataLocation: DataLocation.EXTERNAL });
  graphOf(model).node[0].attribute.push(
    create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t }),
  );
  assert.throws(() => readModel(toBinary(ModelProtoSchema, model)), /y holds weights that lie/);
});
