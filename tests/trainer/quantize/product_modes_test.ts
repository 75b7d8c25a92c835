/**
 * Each mode's arithmetic on small graphs, run by ONNX Runtime, held against plain double precision.
 */

import assert from "node:assert/strict";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { QUANTIZE_MODES, type QuantizeMode } from "../../../trainer/quantize/mod.ts";
import { seededRandom } from "../../random.ts";
import { countOperators, modelOf, multiply, relativeError, runQuantized } from "./models.ts";

/**
 * The largest error of each mode, relative to the result's length, on uniform numbers: 0.5 / 127 / sqrt(3) * sqrt(3) for
 * weights of 8 bits, as much again for activations, 1 / 15 for 4 bits, 2 ** -11 for halves; and a third for chance.
 */
const WORST: Readonly<Record<QuantizeMode, number>> = {
  "int8-dynamic": 0.008,
  "int8-weights": 0.0052,
  nbits8: 0.0052,
  nbits4: 0.09,
  fp16: 0.0007,
};

const [ROWS, INNER, COLUMNS] = [6, 70, 9];
const random = seededRandom(11);
const X = random.floats(ROWS * INNER);
const W = random.floats(INNER * COLUMNS);
const BIAS = random.floats(COLUMNS);
const EXPECTED = multiply(X, W, INNER, COLUMNS);

function transposed(w: Float32Array, rows: number, columns: number): Float32Array {
  return w.map((_, i) => w[i % rows * columns + Math.floor(i / rows)]);
}

for (const mode of QUANTIZE_MODES) {
  Deno.test(`quantizeModel() keeps a MatMul near double precision as ${mode}, with any batch`, async () => {
    const graph = new OnnxGraph("product");
    graph.input("x", ["batch", "tokens", INNER]);
    graph.float32("w", [INNER, COLUMNS], W);
    graph.output(graph.node("MatMul", ["x", "w"], "y"), ["batch", "tokens", COLUMNS]);
    for (const shape of [[1, 6, INNER], [3, 2, INNER]]) {
      const { outputs, report } = await runQuantized(modelOf(graph), { mode }, { x: [shape, X] });
      assert.deepEqual(outputs.y.dims, shape.with(2, COLUMNS));
      const error = relativeError(outputs.y.data, EXPECTED);
      assert.ok(error > 0 && error < WORST[mode], `${error}`);
      assert.deepEqual(report.nodes, [
        { name: "y", operator: "MatMul", weight: "w", shape: [INNER, COLUMNS], done: mode },
      ]);
    }
  });

  Deno.test(`quantizeModel() keeps a Gemm's transB, alpha and beta as ${mode}`, async () => {
    for (
      const [beta, bias] of [[1, BIAS], [0.5, BIAS], [0, BIAS], [2, BIAS.slice(0, 1)]] as const
    ) {
      const graph = new OnnxGraph("gemm");
      graph.input("x", ["batch", INNER]);
      graph.float32("w", [COLUMNS, INNER], transposed(W, INNER, COLUMNS));
      graph.float32("c", [bias.length], bias);
      graph.node("Gemm", ["x", "w", "c"], "y", {
        transB: { int: 1 },
        alpha: { float: -0.75 },
        beta: { float: beta },
      });
      graph.output("y", ["batch", COLUMNS]);
      const expected = EXPECTED.map((v, i) => -0.75 * v + beta * bias[i % bias.length]);
      const feeds = { x: [[ROWS, INNER], X] } as const;
      const { outputs } = await runQuantized(modelOf(graph), { mode }, feeds);
      const error = relativeError(outputs.y.data, expected);
      assert.ok(error < WORST[mode], `beta ${beta}: ${error}`);
    }
  });

  Deno.test(`quantizeModel() finds weights behind a Transpose and an Identity as ${mode}`, async () => {
    const graph = new OnnxGraph("hidden weights");
    graph.input("x", ["batch", INNER]);
    graph.float32("turned", [COLUMNS, INNER], transposed(W, INNER, COLUMNS));
    graph.node("Transpose", ["turned"], "transposed");
    graph.node("Identity", ["transposed"], "same");
    graph.output(graph.node("MatMul", ["x", "same"], "y"), ["batch", COLUMNS]);
    graph.output(graph.node("Gemm", ["x", "same"], "z"), ["batch", COLUMNS]);
    graph.output(graph.node("Gemm", ["x", "turned"], "t", { transB: { int: 1 } }), [
      "batch",
      COLUMNS,
    ]);
    const feeds = { x: [[ROWS, INNER], X] } as const;
    const { outputs, model, report } = await runQuantized(modelOf(graph), { mode }, feeds);
    for (const { data } of Object.values(outputs)) {
      const error = relativeError(data, EXPECTED);
      assert.ok(error < WORST[mode], `${error}`);
    }
    const products = report.nodes.filter(({ operator }) => operator !== "Transpose");
    assert.deepEqual(products.map(({ done }) => done), [mode, mode, mode]);
    if (mode !== "fp16") assert.equal(countOperators(model).Transpose, undefined);
    assert.ok(!model.proto.graph?.initializer.some(({ name }) => name === "turned"));
  });

  Deno.test(`quantizeModel() gives zeros for columns of zeros as ${mode}`, async () => {
    const graph = new OnnxGraph("zeros");
    graph.input("x", ["batch", INNER]);
    graph.float32("w", [INNER, 2], W.slice(0, INNER * 2).map((v, i) => i % 2 === 0 ? 0 : v));
    graph.output(graph.node("MatMul", ["x", "w"], "y"), ["batch", 2]);
    const feeds = { x: [[ROWS, INNER], X] } as const;
    const { outputs: { y } } = await runQuantized(modelOf(graph), { mode }, feeds);
    for (const [i, value] of y.data.entries()) {
      if (i % 2 === 0) assert.equal(value, 0);
      else assert.ok(Number.isFinite(value) && value !== 0);
    }
  });

  Deno.test(`quantizeModel() is exact on a small column beside a huge one as ${mode}`, async () => {
    const graph = new OnnxGraph("huge column");
    graph.input("x", ["batch", INNER]);
    const scaled = W.slice(0, INNER * 2).map((v, i) => i % 2 === 0 ? v : v * 1000);
    graph.float32("w", [INNER, 2], scaled);
    graph.output(graph.node("MatMul", ["x", "w"], "y"), ["batch", 2]);
    const feeds = { x: [[ROWS, INNER], X] } as const;
    const { outputs: { y } } = await runQuantized(modelOf(graph), { mode }, feeds);
    const expected = multiply(X, scaled, INNER, 2);
    const small = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % 2 === 0);
    const error = relativeError(small(y.data), small(expected));
    // With one scale for both, steps of 1000 / 127 would make zeros of the small column: an error of 1.
    assert.ok(error < WORST[mode] * 1.5, `${error}`);
  });
}

Deno.test("quantizeModel() keeps ONNX Runtime from needing more than ONNX's own operators, but for blocks", async () => {
  const graph = new OnnxGraph("domains");
  graph.input("x", ["batch", INNER]);
  graph.float32("w", [INNER, COLUMNS], W);
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["batch", COLUMNS]);
  for (const mode of QUANTIZE_MODES) {
    const { model } = await runQuantized(modelOf(graph), { mode }, { x: [[ROWS, INNER], X] });
    const domains = model.proto.opsetImport.map(({ domain, version }) => [domain, version]);
    const blocks = mode.startsWith("nbits") ? [["com.microsoft", 1n]] : [];
    assert.deepEqual(domains, [["", 17n], ...blocks]);
  }
});

Deno.test("quantizeModel() uses weights from -63 to 63 with reduceRange, and a little less exact", async () => {
  const graph = new OnnxGraph("reduced");
  graph.input("x", ["batch", INNER]);
  graph.float32("w", [INNER, COLUMNS], W);
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["batch", COLUMNS]);
  for (const mode of ["int8-dynamic", "int8-weights"] as const) {
    const feeds = { x: [[ROWS, INNER], X] } as const;
    const { outputs, model } = await runQuantized(
      modelOf(graph),
      { mode, reduceRange: true },
      feeds,
    );
    const integers = model.proto.graph?.initializer.find(({ dataType }) => dataType === 3);
    const values = new Int8Array(integers?.rawData.slice().buffer ?? new ArrayBuffer());
    assert.equal(values.length, INNER * COLUMNS);
    assert.equal(Math.max(...values.map(Math.abs)), 63);
    const error = relativeError(outputs.y.data, EXPECTED);
    assert.ok(error < 2 * WORST[mode], `${error}`);
  }
});
