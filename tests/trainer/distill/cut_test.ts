/**
 * Networks that are made smaller: channels whose work others can do go first, and the network sees as before.
 */

import assert from "node:assert/strict";
import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING } from "@clip-e/shared";
import { join } from "node:path";
import { channelGroups } from "../../../trainer/distill/cut/channel_groups.ts";
import { measureChannels } from "../../../trainer/distill/cut/channel_statistics.ts";
import { cutEncoder } from "../../../trainer/distill/cut/cut_encoder.ts";
import { cutOnce } from "../../../trainer/distill/cut/cut_once.ts";
import { writeLayers } from "../../../trainer/distill/cut/write_layers.ts";
import { sizeOf } from "../../../trainer/distill/graph/tape.ts";
import {
  type OnnxConvolution,
  type OnnxLayer,
  type OnnxLayers,
  readOnnxLayers,
} from "../../../trainer/distill/onnx_layers.ts";
import { shardName, ViewBank, writeViews } from "../../../trainer/distill/view_bank.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { Random } from "../../../trainer/random.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

const [SIZE, WIDE, NARROW, DIMENSIONS] = [8, 6, 4, 5];
/** Of the wide channels, one that does what another does, and one that never changes. */
const [COPIED, COPY, CONSTANT] = [1, 4, 2];

interface Walk {
  readonly stride?: number;
  readonly pads?: readonly number[];
}

function convolution(
  name: string,
  input: string,
  shape: readonly number[],
  { stride = 1, pads = [0, 0, 0, 0] }: Walk = {},
): OnnxConvolution {
  const random = new Random(name.length + shape[0]);
  const fan = sizeOf(shape.slice(1));
  const draw = () => random.normal() / Math.sqrt(fan);
  return {
    kind: "convolution",
    name,
    input,
    kernel: { shape, data: Float32Array.from({ length: sizeOf(shape) }, draw) },
    bias: Float32Array.from({ length: shape[0] }, draw),
    stride,
    pads,
  };
}

function clip(name: string, input: string): OnnxLayer {
  return { kind: "clip", name, input, least: 0, most: 6 };
}

/** A stem, an inverted residual block, and a last layer. */
function buildNetwork(): OnnxLayers {
  const wide = convolution("wide", "stem.clip", [WIDE, NARROW, 1, 1]);
  const each = convolution("each", "wide.clip", [WIDE, 1, 3, 3], { pads: [1, 1, 1, 1] });
  for (const { kernel, bias } of [wide, each]) {
    const fan = sizeOf(kernel.shape.slice(1));
    kernel.data.copyWithin(COPY * fan, COPIED * fan, (COPIED + 1) * fan);
    bias[COPY] = bias[COPIED];
  }
  each.kernel.data.fill(0, CONSTANT * 9, (CONSTANT + 1) * 9);
  each.bias[CONSTANT] = 2;
  return {
    input: "pixels",
    layers: [
      convolution("stem", "pixels", [NARROW, 3, 3, 3], { stride: 2, pads: [0, 0, 1, 1] }),
      clip("stem.clip", "stem"),
      wide,
      clip("wide.clip", "wide"),
      each,
      clip("each.clip", "each"),
      convolution("narrow", "each.clip", [NARROW, WIDE, 1, 1]),
      { kind: "add", name: "sum", inputs: ["stem.clip", "narrow"] },
      convolution("top", "sum", [DIMENSIONS, NARROW, 1, 1]),
    ],
    map: "top",
  };
}

function drawPictures(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count * 3 * SIZE ** 2 }, () => random.normal());
}

async function embed(bytes: Uint8Array, pictures: Float32Array): Promise<number[]> {
  const encoder = await openEncoder(bytes, SIZE);
  const length = 3 * SIZE ** 2;
  const embeddings: number[] = [];
  for (let at = 0; at < pictures.length; at += length) {
    embeddings.push(...await encoder.encode(pictures.slice(at, at + length)));
  }
  await encoder.close();
  return embeddings;
}

function cut(bytes: Uint8Array<ArrayBuffer>, keep: number): Promise<Uint8Array<ArrayBuffer>> {
  const batches = [drawPictures(16, 1), drawPictures(16, 2)];
  return cutEncoder({ bytes, name: "net.onnx", size: SIZE, keep, batches, backend: wasmBackend });
}

async function widthOf(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const [{ maker }] = channelGroups(await readOnnxLayers(bytes, SIZE, "net.onnx"));
  return maker.kernel.shape[0];
}

/** The root of the mean square. */
function size(x: readonly number[]): number {
  return Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length);
}

Deno.test("channelGroups() finds what is inside of a block, and nothing that others read too", () => {
  const groups = channelGroups(buildNetwork());
  assert.deepEqual(
    groups.map(({ maker, depthwise, reader }) => [maker, ...depthwise, reader].map((l) => l.name)),
    [["wide", "each", "narrow"]],
  );
});

Deno.test("writeLayers() writes what readOnnxLayers() reads", async () => {
  const network = buildNetwork();
  const bytes = writeLayers(network, SIZE);
  const read = await readOnnxLayers(bytes, SIZE, "net.onnx");
  const weights = ({ layers }: OnnxLayers) =>
    layers.flatMap((layer) =>
      layer.kind === "convolution" ? [layer.kernel.shape, layer.kernel.data, layer.bias] : []
    );
  assert.deepEqual(weights(read), weights(network));
  const pictures = drawPictures(2, 3);
  const again = await embed(writeLayers(read, SIZE), pictures);
  assert.deepEqual(again, await embed(bytes, pictures));
});

Deno.test("cutEncoder() cuts a copy and what never changes, and the network sees as before", async () => {
  const bytes = writeLayers(buildNetwork(), SIZE);
  const smaller = await cut(bytes, (WIDE - 2 + 0.5) / WIDE);
  assert.equal(await widthOf(smaller), WIDE - 2);
  const pictures = drawPictures(4, 3);
  const [before, after] = [await embed(bytes, pictures), await embed(smaller, pictures)];
  const error = size(before.map((x, i) => x - after[i]));
  assert.ok(error < 0.01 * size(before), `${error}`);
});

Deno.test("cutEncoder() cuts as much as it is asked to, and leaves each block two channels", async () => {
  const bytes = writeLayers(buildNetwork(), SIZE);
  assert.equal(await widthOf(await cut(bytes, 0.5)), WIDE / 2);
  assert.equal(await widthOf(await cut(bytes, 0.01)), 2);
});

Deno.test("cutEncoder() cuts on both sides of a layer that reads one group and makes the next", async () => {
  const around = { pads: [1, 1, 1, 1] };
  const network: OnnxLayers = {
    input: "pixels",
    layers: [
      convolution("stem", "pixels", [WIDE, 3, 1, 1]),
      convolution("each", "stem", [WIDE, 1, 3, 3], around),
      convolution("between", "each", [WIDE, WIDE, 1, 1]),
      convolution("each2", "between", [WIDE, 1, 3, 3], around),
      convolution("top", "each2", [DIMENSIONS, WIDE, 1, 1]),
    ],
    map: "top",
  };
  const bytes = await cut(writeLayers(network, SIZE), 0.5);
  const { layers } = await readOnnxLayers(bytes, SIZE, "net.onnx");
  const [stem, each, between, each2, top] = layers.map((layer) =>
    layer.kind === "convolution" ? layer.kernel.shape : []
  );
  assert.deepEqual([stem[0], each2[0]], [each[0], top[1]]);
  assert.deepEqual(between, [each2[0], each[0], 1, 1]);
  assert.ok(stem[0] + each2[0] <= WIDE);
  assert.equal((await embed(bytes, drawPictures(1, 3))).length, DIMENSIONS);
});

Deno.test("cutEncoder() refuses a network without blocks to cut", async () => {
  const stem = convolution("stem", "pixels", [DIMENSIONS, 3, 3, 3]);
  const bytes = writeLayers({ input: "pixels", layers: [stem], map: "stem" }, SIZE);
  await assert.rejects(
    cut(bytes, 0.5),
    (error) =>
      error instanceof TrainerError && /^Cannot cut net.onnx: .*Use all/.test(error.message),
  );
});

Deno.test("cutOnce() keeps what it has cut", () =>
  withFolder(async (cache) => {
    const format = { size: SIZE, dimensions: DIMENSIONS, side: 1 };
    const count = 40;
    await writeViews(join(cache, shardName(0)), format, count, (number) => {
      const random = new Random(number);
      const pixels = Uint8Array.from({ length: 3 * SIZE ** 2 }, () => 256 * random.next());
      return Promise.resolve({ pixels, features: new Float32Array(DIMENSIONS) });
    }, "run");
    const said: string[] = [];
    const bank = new ViewBank(cache, format);
    const source = {
      cache,
      bank,
      views: count,
      name: "views",
      preprocessing: CLIP_PREPROCESSING,
      say: (words: string) => void said.push(words),
    };
    const bytes = writeLayers(buildNetwork(), SIZE);
    const request = { bytes, name: "net.onnx", size: SIZE, keep: 0.5 };
    const first = await cutOnce({ ...source, backend: wasmBackend })(request);
    assert.equal(await widthOf(first), WIDE / 2);
    const idle = { ...wasmBackend, open: () => Promise.reject(new Error("It was cut before")) };
    const cutAgain = cutOnce({ ...source, backend: idle });
    assert.deepEqual(await cutAgain(request), first);
    await assert.rejects(cutAgain({ ...request, keep: 0.6 }), /It was cut before/);
    bank.close();
    assert.equal(said[0], "Cutting net.onnx to 0.5 of its work, at 8 pixels");
  }));

Deno.test("measureChannels() tells means, products, and what the embedding depends on", async () => {
  const { layers, input } = buildNetwork();
  // The embedding is what the reader makes: of each unit the mean over 16 places.
  const network = { layers: layers.slice(0, 7), input, map: "narrow" };
  const groups = channelGroups(network);
  const [statistics] = await measureChannels({
    network,
    size: SIZE,
    groups,
    batches: Array.from({ length: 20 }, (_, i) => drawPictures(32, i)),
    random: new Random(1),
    backend: wasmBackend,
  });
  const { mean, products, weight, work } = statistics;
  assert.ok(Math.abs(mean[CONSTANT] - 2) < 1e-4);
  assert.ok(Math.abs(products[CONSTANT * WIDE + CONSTANT] - 4) < 1e-3);
  assert.ok(Math.abs(products[CONSTANT * WIDE + COPY] - 2 * mean[COPY]) < 1e-3);
  assert.ok(Math.abs(products[COPY * WIDE + COPIED] - products[COPY * WIDE + COPY]) < 1e-3);
  // Sixteen places, each with a slope of 1/16, along directions of variance 1.
  for (const x of weight) assert.ok(Math.abs(16 * x - 1) < 0.2, `${16 * x}`);
  assert.equal(work, 16 * (NARROW + 9 + NARROW));
});
