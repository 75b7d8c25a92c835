import assert from "node:assert/strict";
import { TensorProto_DataLocation as DataLocation } from "onnx-buf";
import { TrainerError } from "../../../trainer/errors.ts";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import {
  type ExternalReader,
  layOutModel,
  type OnnxModel,
  QUANTIZE_MODES,
  quantizeModel,
  readModel,
} from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";
import { seededRandom } from "../../random.ts";
import { bytesOf, evaluate, joined, modelOf, multiply, relativeError } from "./models.ts";

const SIZE = 64;
const random = seededRandom(41);
const X = random.floats(2 * SIZE);
const W = random.floats(SIZE * SIZE);
const FEEDS = { x: [[2, SIZE], X] } as const;
const EXPECTED = multiply(multiply(X, W, SIZE, SIZE), W, SIZE, SIZE);

/** Two products of the same weights, which lie in the model or, from a byte on, in a file beside it. */
function twice(where?: { readonly location: string; readonly offset: number }): OnnxGraph {
  const graph = new OnnxGraph("twice");
  graph.input("x", ["rows", SIZE]);
  for (const name of ["w", "v"]) {
    if (where) graph.external(name, [SIZE, SIZE], where);
    else graph.float32(name, [SIZE, SIZE], W);
  }
  graph.int64("shape", [2], [-1, SIZE]);
  graph.node("MatMul", ["x", "w"], "a");
  graph.node("Reshape", ["a", "shape"], "b");
  graph.output(graph.node("MatMul", ["b", "v"], "y"), ["rows", SIZE]);
  return graph;
}

/** Files in memory, and what was read of them. */
function filesOf(files: Readonly<Record<string, Uint8Array>>) {
  const reads: string[] = [];
  const external: ExternalReader = {
    read(location, offset, length) {
      reads.push(`${location} ${offset} ${length}`);
      const bytes = files[location].subarray(offset, offset + length);
      if (bytes.length === length) return Promise.resolve(bytes);
      return Promise.reject(new TrainerError(`Cannot read ${location}: it ends too early`));
    },
  };
  return { external, reads };
}

/** A model whose weights begin 8 bytes into a file. */
function beside(bytes = W.byteLength): { model: OnnxModel; reads: string[] } {
  const file = new Uint8Array(8 + bytes);
  file.set(new Uint8Array(W.buffer, 0, bytes), 8);
  const { external, reads } = filesOf({ "in.onnx_data": file });
  const { proto } = modelOf(twice({ location: "in.onnx_data", offset: 8 }));
  return { model: { proto, external }, reads };
}

Deno.test("quantizeModel() reads weights that lie in another file, each when its turn comes", async () => {
  const { model, reads } = beside();
  for (const mode of QUANTIZE_MODES) {
    reads.length = 0;
    const made = await quantizeModel(model, { mode });
    assert.deepEqual([...new Set(reads)], [`in.onnx_data 8 ${W.byteLength}`]);
    const inside = await quantizeModel(modelOf(twice()), { mode });
    assert.deepEqual(await bytesOf(made.model), await bytesOf(inside.model));
    assert.deepEqual(made.report, inside.report);
  }
});

Deno.test("quantizeModel() leaves weights in the other file that it does not need", async () => {
  const { model, reads } = beside();
  const { model: made } = await quantizeModel(model, { mode: "int8-weights", keep: ["v"] });
  assert.equal(reads.length, 1);
  // Written, they are all in one file.
  const { y } = await evaluate(await bytesOf(made), FEEDS);
  assert.ok(relativeError(y.data, EXPECTED) < 0.01);
  assert.equal(reads.length, 2);
});

Deno.test("quantizeModel() says which weights it cannot have of another file", async () => {
  const { model } = beside(100);
  await assert.rejects(quantizeModel(model, { mode: "nbits8" }), /in\.onnx_data: it ends too/);
  const { proto } = modelOf(twice());
  const [w] = graphOf(proto).initializer;
  w.dataLocation = DataLocation.EXTERNAL;
  const nameless = { proto, external: model.external };
  await assert.rejects(quantizeModel(nameless, { mode: "nbits8" }), {
    name: "TrainerError",
    message: /"w": it does not say in which file/,
  });
});

Deno.test("layOutModel() puts weights into a file of their own, on pages, and shapes into the model", async () => {
  for (const model of [modelOf(twice()), beside().model]) {
    const layout = layOutModel(model, { dataLocation: "out.onnx_data", isSplit: true });
    const [bytes, data] = [await joined(layout.model()), await joined(layout.data())];
    assert.equal(bytes.length, layout.modelBytes);
    assert.equal(data.length, layout.dataBytes);
    assert.ok(bytes.length < 1000, `${bytes.length}`);
    const { initializer } = graphOf(readModel(bytes));
    const where = initializer.map(({ name, externalData }) => [
      name,
      Object.fromEntries(externalData.map(({ key, value }) => [key, value])),
    ]);
    const length = String(W.byteLength);
    assert.deepEqual(Object.fromEntries(where), {
      w: { location: "out.onnx_data", offset: "0", length },
      v: { location: "out.onnx_data", offset: "16384", length },
      shape: {},
    });
    const externalData = [{ path: "out.onnx_data", data }];
    const { y } = await evaluate(bytes, FEEDS, { externalData });
    assert.ok(relativeError(y.data, EXPECTED) < 1e-6);
    // What was written is what is read.
    const { external } = filesOf({ "out.onnx_data": data });
    const again = await bytesOf({ proto: readModel(bytes), external });
    assert.deepEqual(await evaluate(again, FEEDS), { y });
  }
});

Deno.test("layOutModel() splits a model that is too large for one file, and no other", async () => {
  const model = modelOf(twice());
  const { length } = await bytesOf(model);
  const dataLocation = "out.onnx_data";
  assert.equal(layOutModel(model, { dataLocation, maxBytes: length }).dataBytes, 0);
  assert.equal(layOutModel(model, { dataLocation, maxBytes: length - 1 }).dataBytes, 32768);
  assert.throws(() => layOutModel(model, { maxBytes: length - 1 }), {
    name: "TrainerError",
    message: new RegExp(`Cannot write a model of ${length} bytes in one file`),
  });
});

Deno.test("layOutModel() splits what no reader of Protocol Buffers takes, without reading a weight", () => {
  const graph = new OnnxGraph("huge");
  graph.input("x", ["rows", 30_000]);
  for (const name of ["a", "b", "c", "d"]) {
    graph.external(name, [30_000, 30_000], { location: "in.onnx_data", offset: 0 });
  }
  graph.node("MatMul", ["x", "a"], "e");
  graph.node("MatMul", ["e", "b"], "f");
  graph.node("MatMul", ["f", "c"], "g");
  graph.output(graph.node("MatMul", ["g", "d"], "y"), ["rows", 30_000]);
  const { external, reads } = filesOf({});
  const model = { proto: modelOf(graph).proto, external };
  const layout = layOutModel(model, { dataLocation: "out.onnx_data" });
  assert.ok(layout.modelBytes < 2000);
  assert.ok(layout.dataBytes >= 4 * 3.6e9);
  assert.deepEqual(reads, []);
});
