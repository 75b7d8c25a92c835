/**
 * Convolutions and look-ups in tables, in every mode, run by ONNX Runtime and held against the float model, whose arithmetic
 * ONNX Runtime is trusted with.
 */

import assert from "node:assert/strict";
import { type OnnxAttribute, OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { QUANTIZE_MODES, quantizeModel } from "../../../trainer/quantize/mod.ts";
import { seededRandom } from "../../random.ts";
import {
  bytesOf,
  countOperators,
  evaluate,
  initializers,
  modelOf,
  relativeError,
  runQuantized,
} from "./models.ts";

interface ConvCase {
  readonly filters: readonly number[];
  readonly input: readonly number[];
  readonly bias?: boolean;
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

const CONVOLUTIONS: Readonly<Record<string, ConvCase>> = {
  "patches of a picture": {
    filters: [8, 3, 4, 4],
    input: [2, 3, 12, 12],
    attributes: { strides: { ints: [4, 4] } },
  },
  "a bias and padding, whose zeros are no zeros of an activation above zero": {
    filters: [5, 4, 3, 3],
    input: [1, 4, 7, 6],
    bias: true,
    attributes: { pads: { ints: [1, 1, 1, 1] } },
  },
  "a filter for each channel": {
    filters: [6, 1, 3, 3],
    input: [1, 6, 9, 9],
    bias: true,
    attributes: { group: { int: 6 }, pads: { ints: [1, 1, 1, 1] }, strides: { ints: [2, 2] } },
  },
  "two groups with holes": {
    filters: [6, 2, 3, 3],
    input: [1, 4, 9, 9],
    attributes: { group: { int: 2 }, dilations: { ints: [2, 2] } },
  },
  "one axis": {
    filters: [4, 3, 5],
    input: [2, 3, 20],
    bias: true,
    attributes: {},
  },
};

function convolution({ filters, input, bias = false, attributes }: ConvCase): OnnxGraph {
  const random = seededRandom(7);
  const graph = new OnnxGraph("convolution");
  graph.input("x", input);
  const count = filters.reduce((product, length) => product * length, 1);
  const [first] = filters;
  // Filters of very different sizes: a scale for all of them would leave nothing of the small ones.
  const values = random.floats(count).map((v, i) => v * 4 ** Math.floor(i * first / count));
  graph.float32("w", filters, values);
  if (bias) graph.float32("b", [first], random.floats(first));
  graph.node("Conv", bias ? ["x", "w", "b"] : ["x", "w"], "y", attributes);
  graph.output("y", [
    input[0],
    first,
    ...input.slice(2).map((_, i) => `side${i}`),
  ]);
  return graph;
}

/** The largest relative error of a filter's outputs. */
function worstFilter(
  { data, dims }: { readonly data: Float32Array; readonly dims: readonly number[] },
  expected: Float32Array,
): number {
  const [batch, filters] = dims;
  const size = data.length / batch / filters;
  return Math.max(...Array.from({ length: batch * filters }, (_, i) => {
    const part = (values: Float32Array) => values.subarray(i * size, (i + 1) * size);
    return relativeError(part(data), part(expected));
  }));
}

for (const [what, conv] of Object.entries(CONVOLUTIONS)) {
  Deno.test(`quantizeModel() keeps a Conv near the float one: ${what}`, async () => {
    const model = modelOf(convolution(conv));
    const size = conv.input.reduce((product, length) => product * length, 1);
    const x = seededRandom(8).floats(size).map((v) => v + 0.5);
    const feeds = { x: [conv.input, x] } as const;
    const { y: expected } = await evaluate(await bytesOf(model), feeds);
    for (const mode of QUANTIZE_MODES) {
      for (const kind of ["integers", "weights"] as const) {
        const { outputs, model: made } = await runQuantized(model, { mode, conv: kind }, feeds);
        assert.deepEqual(outputs.y.dims, expected.dims);
        const error = worstFilter(outputs.y, expected.data);
        const isInteger = mode === "int8-dynamic" && kind === "integers";
        // Steps of 1 / 127 of the largest weight are 0.0045 of uniform ones; activations come on top.
        const worst = mode === "fp16" ? 0.001 : isInteger ? 0.02 : 0.01;
        assert.ok(error > 0 && error < worst, `${mode}, ${kind}: ${error}`);
        assert.equal(countOperators(made).ConvInteger, isInteger ? 1 : undefined);
      }
    }
  });
}

Deno.test("quantizeModel() leaves a Conv whose bias is not constant, and says so", async () => {
  const graph = new OnnxGraph("bias given");
  graph.input("x", [1, 1, 4, 4]);
  graph.input("b", [2]);
  graph.float32("w", [2, 1, 1, 1], [1, 2]);
  graph.output(graph.node("Conv", ["x", "w", "b"], "y"), [1, 2, 4, 4]);
  const feeds = {
    x: [[1, 1, 4, 4], new Float32Array(16)],
    b: [[2], Float32Array.of(3, 4)],
  } as const;
  const options = { mode: "int8-dynamic", conv: "integers" } as const;
  const { report } = await runQuantized(modelOf(graph), options, feeds);
  assert.equal(report.nodes[0].left, "its bias is not constant");
});

Deno.test("quantizeModel() shares one activation between a Conv and a MatMul", async () => {
  const random = seededRandom(3);
  const graph = new OnnxGraph("shared");
  graph.input("x", [1, 2, 3, 4]);
  graph.float32("filters", [5, 2, 1, 1], random.floats(10));
  graph.float32("matrix", [4, 6], random.floats(24));
  graph.output(graph.node("Conv", ["x", "filters"], "y"), [1, 5, 3, 4]);
  graph.output(graph.node("MatMul", ["x", "matrix"], "z"), [1, 2, 3, 6]);
  const options = { mode: "int8-dynamic", conv: "integers" } as const;
  const feeds = { x: [[1, 2, 3, 4], random.floats(24)] } as const;
  const { model } = await runQuantized(modelOf(graph), options, feeds);
  assert.equal(countOperators(model).DynamicQuantizeLinear, 1);
});

const [TOKENS, WIDTH] = [50, 16];

function table(): OnnxGraph {
  const graph = new OnnxGraph("table");
  graph.input("ids", ["batch", "tokens"], "int64");
  const values = seededRandom(5).floats(TOKENS * WIDTH)
    .map((v, i) => v * 10 ** (Math.floor(i / WIDTH) % 4));
  graph.float32("table", [TOKENS, WIDTH], values);
  graph.output(graph.node("Gather", ["table", "ids"], "y"), ["batch", "tokens", WIDTH]);
  return graph;
}

Deno.test("quantizeModel() keeps every row of a table near the float one, each with a scale of its own", async () => {
  const model = modelOf(table());
  const feeds = { ids: [[2, 3], BigInt64Array.of(0n, 1n, 49n, 3n, 2n, -1n)] } as const;
  const { y: expected } = await evaluate(await bytesOf(model), feeds);
  for (const mode of QUANTIZE_MODES) {
    const { outputs, model: made } = await runQuantized(model, { mode, gather: true }, feeds);
    assert.deepEqual(outputs.y.dims, [2, 3, WIDTH]);
    for (let row = 0; row < 6; row++) {
      const part = (values: Float32Array) => values.subarray(row * WIDTH, (row + 1) * WIDTH);
      const error = relativeError(part(outputs.y.data), part(expected.data));
      assert.ok(error > 0 && error < 0.0052, `${mode}, row ${row}: ${error}`);
    }
    assert.ok(!initializers(made).some(({ name }) => name === "table"));
  }
});

Deno.test("quantizeModel() leaves tables and convolutions that were not asked for, and says so", async () => {
  const [conv] = Object.values(CONVOLUTIONS);
  for (
    const [graph, why] of [
      [table(), "tables were not asked for"],
      [convolution(conv), "convolutions were not asked for"],
    ] as const
  ) {
    const model = modelOf(graph);
    const { model: made, report } = await quantizeModel(model, { mode: "int8-dynamic" });
    assert.equal(report.nodes[0].left, why);
    assert.deepEqual(await bytesOf(made), await bytesOf(model));
  }
});
