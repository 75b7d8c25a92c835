import assert from "node:assert/strict";
import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { regionWeights } from "../../../trainer/distill/regions.ts";
import { meanOfRegions, openTeacherMap } from "../../../trainer/distill/teacher_map.ts";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { buildStatisticsEncoder } from "../../../trainer/encoder/statistics_encoder.ts";

/** A network of one convolution and a mean over places. */
function buildAveraging(operator: "GlobalAveragePool" | "ReduceMean", axes: readonly number[]) {
  const graph = new OnnxGraph("averaging");
  const pixels = graph.input("pixels", ["batch", 3, 8, 8]);
  const kernel = graph.float32("kernel", [2, 3, 2, 2], Array.from({ length: 24 }, (_, i) => i - 9));
  const map = graph.node("Conv", [pixels, kernel], "map", { strides: { ints: [2, 2] } });
  const attributes = operator === "ReduceMean" ? { axes: { ints: axes } } : {};
  const mean = graph.node(operator, [map], "mean", attributes);
  graph.output(graph.node("Flatten", [mean], "embedding", { axis: { int: 1 } }), ["batch", 2]);
  return graph.toBytes();
}

const PIXELS = Float32Array.from({ length: 192 }, (_, i) => Math.sin(i));

for (
  const [operator, axes] of [
    ["GlobalAveragePool", []],
    ["ReduceMean", [2, 3]],
    ["ReduceMean", [-1, -2]],
  ] as const
) {
  Deno.test(`openTeacherMap() opens the map before ${operator} ${axes}, whose mean is the embedding`, async () => {
    const bytes = buildAveraging(operator, axes);
    const map = openTeacherMap(bytes);
    assert.ok(map);
    const session = await wasmBackend.open(map.bytes);
    const tensor = { type: "float32", data: PIXELS, dims: [1, 3, 8, 8] } as const;
    const { data, dims } = await session.run({ pixels: tensor }, map.output);
    await session.close();
    assert.deepEqual(dims, [1, 2, 4, 4]);
    const means = meanOfRegions(data as Float32Array, 4, 4, 1);
    const encoder = await openEncoder(bytes, 8);
    const embedding = await encoder.encode(PIXELS);
    await encoder.close();
    embedding.forEach((x, d) => assert.ok(Math.abs(x - means[d]) < 1e-5));
  });
}

Deno.test("openTeacherMap() finds none where the embedding is no mean over places", () => {
  const { mean, std } = { mean: [0, 0, 0], std: [1, 1, 1] } as const;
  assert.equal(openTeacherMap(buildStatisticsEncoder({ size: 64, mean, std })), undefined);
  assert.equal(openTeacherMap(buildAveraging("ReduceMean", [1, 2])), undefined);
});

Deno.test("meanOfRegions() divides a map into regions, row by row", () => {
  const map = Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40);
  assert.deepEqual(meanOfRegions(map, 2, 2, 2), Float32Array.of(1, 10, 2, 20, 3, 30, 4, 40));
});

Deno.test("regionWeights() counts a place on a border by its share", () => {
  const thirds = [2 / 3, 0, 1 / 3, 1 / 3, 0, 2 / 3];
  const row = regionWeights(1, 3, 2);
  // Three places in a row, one in a column: each region has the column's half for itself.
  const expected = [0, 1, 2].flatMap((place) => {
    const across = [thirds[2 * place], thirds[2 * place + 1]];
    return [...across, ...across];
  });
  expected.forEach((x, i) => assert.ok(Math.abs(row[i] - x) < 1e-6, `${i}: ${row[i]}, not ${x}`));
});

Deno.test("regionWeights() makes means: each region's weights add to 1, and regions' to an equal mean", () => {
  for (const [height, width, side] of [[7, 7, 3], [6, 6, 3], [4, 5, 2], [2, 2, 3]]) {
    const weights = regionWeights(height, width, side);
    for (let r = 0; r < side * side; r++) {
      let sum = 0;
      for (let p = 0; p < height * width; p++) sum += weights[p * side * side + r];
      assert.ok(Math.abs(sum - 1) < 1e-6);
    }
    for (let p = 0; p < height * width; p++) {
      const own = weights.subarray(p * side * side, (p + 1) * side * side);
      const total = own.reduce((a, b) => a + b, 0) / side ** 2;
      assert.ok(Math.abs(total - 1 / (height * width)) < 1e-6);
    }
  }
});
