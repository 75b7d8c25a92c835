/**
 * A student that is a trained network: it is read from ONNX as an export would write it, and sees at first as it did before.
 */

import assert from "node:assert/strict";
import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { exportStudent } from "../../../trainer/distill/export_student.ts";
import { countNumbers, layOut } from "../../../trainer/distill/gradient_graph.ts";
import { sizeOf } from "../../../trainer/distill/graph/tape.ts";
import { readOnnxLayers } from "../../../trainer/distill/onnx_layers.ts";
import { nameTeacher, openStudent } from "../../../trainer/distill/parse_student.ts";
import type { FeatureScale, Student } from "../../../trainer/distill/student.ts";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { Random } from "../../../trainer/random.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

const [CHANNELS, SIZE] = [6, 12];

interface NetworkOptions {
  /** Side of its input; absent where that is the caller's choice. */
  readonly size?: number;
  /** An operator before the mean. */
  readonly last?: string;
  /** Of the convolution of all channels. */
  readonly dilation?: number;
}

/** All operators that are known: the stem is padded by what a graph of PyTorch's computes from the input's shape. */
function buildNetwork({ size, last = "Identity", dilation = 1 }: NetworkOptions = {}) {
  const graph = new OnnxGraph("network");
  const random = new Random(2);
  const floats = (name: string, shape: number[]) =>
    graph.float32(name, shape, Array.from({ length: sizeOf(shape) }, () => random.normal() / 2));
  const walk = (side: number, stride: number, pads: number[], group = 1, dilation = 1) => ({
    kernel_shape: { ints: [side, side] },
    strides: { ints: [stride, stride] },
    pads: { ints: pads },
    group: { int: group },
    dilations: { ints: [dilation, dilation] },
  });
  const pixels = graph.input("pixels", ["batch", 3, size ?? "height", size ?? "width"]);
  // Of an even size one row less is needed at the top, and one more at the bottom.
  const height = graph.node("Gather", [
    graph.node("Shape", [pixels], "shape"),
    graph.int64("two", [1], [2]),
  ], "height");
  const odd = graph.node("Mod", [height, graph.int64("divisor", [1], [2])], "odd");
  const zeros = graph.int64("zeros", [2], [0, 0]);
  const one = graph.int64("one", [1], [1]);
  const pads = graph.node("Concat", [zeros, odd, odd, zeros, one, one], "pads", {
    axis: { int: 0 },
  });
  const padded = graph.node("Pad", [pixels, pads], "padded");
  const stem = graph.node(
    "Conv",
    [
      padded,
      floats("stem.kernel", [CHANNELS, 3, 3, 3]),
      floats("stem.bias", [CHANNELS]),
    ],
    "stem",
    walk(3, 2, [0, 0, 0, 0]),
  );
  const limits = [graph.float32("least", [], [0]), graph.float32("most", [], [6])];
  const clipped = graph.node("Clip", [stem, ...limits], "clipped");
  const each = graph.node(
    "Conv",
    [
      clipped,
      floats("each.kernel", [CHANNELS, 1, 3, 3]),
      floats("each.bias", [CHANNELS]),
    ],
    "each",
    walk(3, 1, [1, 1, 1, 1], CHANNELS),
  );
  const positive = graph.node("Relu", [each], "positive");
  const all = graph.node(
    "Conv",
    [
      positive,
      floats("all.kernel", [CHANNELS, CHANNELS, 1, 1]),
    ],
    "all",
    walk(1, 1, [0, 0, 0, 0], 1, dilation),
  );
  const sum = graph.node("Add", [all, clipped], "sum");
  const map = graph.node(last, [sum], "map");
  const mean = graph.node("GlobalAveragePool", [map], "mean");
  const embedding = graph.node("Flatten", [mean], "embedding", { axis: { int: 1 } });
  graph.output(embedding, ["batch", CHANNELS]);
  return graph.toBytes();
}

const scaleOf = (dimensions: number): FeatureScale => ({
  mean: new Float32Array(dimensions),
  deviation: new Float32Array(dimensions).fill(1),
});

/** The student's encoder before it has learned anything. */
function exportFirst(student: Student): Promise<Uint8Array<ArrayBuffer>> {
  const numbers = new Float32Array(countNumbers(student.parameters));
  const random = new Random(1);
  for (const { parameter: { shape, draw }, at } of layOut(student.parameters)) {
    for (let i = 0; i < sizeOf(shape); i++) numbers[at + i] = draw(random, i);
  }
  return exportStudent(student, numbers, wasmBackend);
}

async function encode(bytes: Uint8Array, size: number): Promise<Float32Array> {
  const random = new Random(3);
  const pixels = Float32Array.from({ length: 3 * size * size }, () => random.normal());
  const encoder = await openEncoder(bytes, size);
  try {
    return await encoder.encode(pixels);
  } finally {
    await encoder.close();
  }
}

const uncut = () => Promise.reject(new Error("It is not to be cut"));

/** Opens a network that lies in a file. */
const open = (folder: string, bytes: Uint8Array, size: number) =>
  Deno.writeFile(`${folder}/network.onnx`, bytes)
    .then(() => openStudent(`onnx:network.onnx@${size}`, (path) => `${folder}/${path}`));

for (const size of [SIZE, 9]) {
  Deno.test(`openStudent() reads a network that sees ${size} pixels as it did before`, () =>
    withFolder(async (folder) => {
      const bytes = buildNetwork();
      const { make, size: own } = await open(folder, bytes, size);
      assert.equal(own, size);
      const [actual, expected] = [
        await encode(await exportFirst(await make(scaleOf(CHANNELS), uncut)), size),
        await encode(bytes, size),
      ];
      expected.forEach((x, i) =>
        assert.ok(Math.abs(x - actual[i]) < 1e-5, `${actual[i]}, not ${x}`)
      );
    }));
}

Deno.test("openStudent() has a network that was made for one size see another", () =>
  withFolder(async (folder) => {
    const { make } = await open(folder, buildNetwork({ size: 32 }), SIZE);
    const other = await open(folder, buildNetwork(), SIZE);
    const seen = await encode(await exportFirst(await make(scaleOf(CHANNELS), uncut)), SIZE);
    assert.deepEqual(
      seen,
      await encode(
        await exportFirst(await other.make(scaleOf(CHANNELS), uncut)),
        SIZE,
      ),
    );
  }));

Deno.test("openStudent() puts a dense layer behind a network that makes other numbers", () =>
  withFolder(async (folder) => {
    const { make } = await open(folder, buildNetwork(), SIZE);
    const student = await make(scaleOf(10), uncut);
    assert.deepEqual(student.parameters.at(-2)?.shape, [CHANNELS, 10]);
    assert.equal((await encode(await exportFirst(student), SIZE)).length, 10);
  }));

Deno.test("openStudent() has a network cut for its own size, and reads what is left", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/network.onnx`, buildNetwork({ size: 32 }));
    const rest = buildNetwork();
    const resolve = (path: string) => `${folder}/${path}`;
    for (const smaller of [undefined, 6]) {
      const plan = await openStudent(`onnx:network.onnx@${SIZE}:0.7`, resolve, smaller);
      const student = await plan.make(scaleOf(CHANNELS), ({ name, size, keep }) => {
        assert.deepEqual([name, size, keep], ["network.onnx", SIZE, 0.7]);
        return Promise.resolve(rest);
      });
      const size = smaller ?? SIZE;
      assert.equal(student.size, size);
      const [actual, expected] = [
        await encode(await exportFirst(student), size),
        await encode(rest, size),
      ];
      expected.forEach((x, i) => assert.ok(Math.abs(x - actual[i]) < 1e-5));
    }
  }));

Deno.test("nameTeacher() has students inherit from the teacher", () => {
  assert.equal(nameTeacher("inherit:128:0.7", "a/b.onnx"), "onnx:a/b.onnx@128:0.7");
  assert.equal(nameTeacher("inherit:96", "$&.onnx"), "onnx:$&.onnx@96");
  assert.equal(nameTeacher("conv-tiny", "a.onnx"), "conv-tiny");
});

Deno.test("openStudent() reads what it wrote, to be taught further", () =>
  withFolder(async (folder) => {
    const { make } = await open(folder, buildNetwork(), SIZE);
    const written = await exportFirst(await make(scaleOf(CHANNELS), uncut));
    const again = await open(folder, written, SIZE);
    const rewritten = await exportFirst(await again.make(scaleOf(CHANNELS), uncut));
    assert.deepEqual(await encode(rewritten, SIZE), await encode(written, SIZE));
  }));

Deno.test("openStudent() tells networks apart by their bytes", () =>
  withFolder(async (folder) => {
    const first = await open(folder, buildNetwork(), SIZE);
    const second = await open(folder, buildNetwork({ size: 32 }), SIZE);
    assert.notEqual(first.digest, second.digest);
  }));

Deno.test("openStudent() says that there is no such file", async () => {
  await assert.rejects(
    openStudent("onnx:nowhere.onnx@64", (path) => `/nonexistent/${path}`),
    (error) => error instanceof TrainerError && /Cannot read the student/.test(error.message),
  );
});

Deno.test("readOnnxLayers() refuses what cannot be trained, and says why", async () => {
  const noMean = new OnnxGraph("no mean");
  noMean.output(noMean.node("Flatten", [noMean.input("x", [1, 3, 8, 8])], "embedding"), [1, 192]);
  for (
    const [bytes, why] of [
      [buildNetwork({ last: "Sigmoid" }), /it has the operator Sigmoid/],
      [buildNetwork({ dilation: 2 }), /its all is a convolution of a kind/],
      [noMean.toBytes(), /its embedding is not the mean over places/],
    ] as const
  ) {
    await assert.rejects(
      readOnnxLayers(bytes, SIZE, "the network"),
      (error) =>
        error instanceof TrainerError && error.message.startsWith("Cannot train the network") &&
        why.test(error.message),
    );
  }
});
