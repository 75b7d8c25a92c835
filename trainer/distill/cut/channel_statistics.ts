/**
 * What must be known of channels before some of them go: how they vary together, which tells how well the others can stand in
 * for one; how much the embedding depends on what is made of them; and how much work they are.
 */

import type { Backend } from "@clip-e/edge/encoder";
import type { Random } from "../../random.ts";
import { mean, multiply, scale } from "../graph/elementwise.ts";
import { reshape, reshapeOf, transposeOf } from "../graph/matrices.ts";
import { sizeOf, Tape, type Value } from "../graph/tape.ts";
import type { OnnxLayers } from "../onnx_layers.ts";
import { runLayers } from "../onnx_student.ts";
import { constantsOf } from "./write_layers.ts";
import type { ChannelGroup } from "./channel_groups.ts";

/** Of one group. */
export interface ChannelStatistics {
  /** `[C]`, over places of pictures. */
  readonly mean: Float64Array;
  /** `[C, C]`: means of products. */
  readonly products: Float64Array;
  /** `[O]`: what a change of 1 in what the reader makes, at every place, adds to the square of the embedding's change. */
  readonly weight: Float64Array;
  /** Multiplications that one channel takes, in a picture. */
  readonly work: number;
}

/** What is measured, and by what. */
export interface StatisticsRequest {
  /** The network. */
  readonly network: OnnxLayers;
  /** S, in pixels. */
  readonly size: number;
  /** Of its channels. */
  readonly groups: readonly ChannelGroup[];
  /** Pictures, `[B, 3, S, S]` normalised, each of the same number. */
  readonly batches: readonly Float32Array[];
  /** Draws the directions along which changes of the embedding are measured. */
  readonly random: Random;
  /** What computes. */
  readonly backend: Backend;
}

/**
 * Measures groups of channels.
 *
 * @param request what is measured, and by what
 * @returns for each group
 */
export async function measureChannels(request: StatisticsRequest): Promise<ChannelStatistics[]> {
  const { size, groups, batches, random, backend } = request;
  const batch = batches[0].length / (3 * size * size);
  const { bytes, dimensions, shapes, work } = buildStatistics(request, batch);
  const total = new Float64Array(shapes.reduce((sum, shape) => sum + sizeOf(shape), 0));
  const session = await backend.open(bytes);
  const floats = (data: Float32Array, dims: readonly number[]) =>
    ({ type: "float32", data, dims }) as const;
  try {
    for (const pixels of batches) {
      const drawn = Float32Array.from({ length: batch * dimensions }, () => random.normal());
      const { data } = await session.run({
        pixels: floats(pixels, [batch, 3, size, size]),
        directions: floats(drawn, [batch, dimensions]),
      }, "statistics");
      if (!(data instanceof Float32Array)) throw new TypeError("Statistics must be floats");
      data.forEach((x, i) => total[i] += x / batches.length);
    }
  } finally {
    await session.close();
  }
  let at = 0;
  return groups.map((_, g) => {
    const [mean, products, weight] = shapes.slice(3 * g, 3 * g + 3)
      .map((shape) => total.subarray(at, at += sizeOf(shape)));
    return { mean, products, weight, work: work[g] };
  });
}

/** A graph that measures a batch: for each group mean, products and weight, one after another. */
function buildStatistics({ network, size, groups }: StatisticsRequest, batch: number) {
  const tape = new Tape("channel_statistics");
  const pixels = tape.learn(tape.input("pixels", [batch, 3, size, size]));
  const values = runLayers(tape, network, constantsOf(tape, network), pixels);
  const valueOf = (name: string): Value => {
    const value = values.get(name);
    if (value) return value;
    throw new TypeError(`Nothing makes ${name}`);
  };
  // Expected squares of slopes along random directions are those of all features, added up.
  const map = valueOf(network.map);
  const dimensions = map.shape[1];
  const directions = tape.input("directions", [batch, dimensions]);
  const embedding = reshape(tape, mean(tape, map, [2, 3]), directions.shape);
  const share = mean(tape, multiply(tape, embedding, directions), [0, 1]);
  const along = scale(tape, share, batch * dimensions);
  const slopes = tape.gradients(along, groups.map(({ reader }) => valueOf(reader.name)));

  const measured = groups.flatMap(({ reader }, g) => {
    const seen = valueOf(reader.input);
    const [, channels, height, width] = seen.shape;
    const count = batch * height * width;
    const long = reshapeOf(tape, transposeOf(tape, seen, [1, 0, 2, 3]), [channels, count]);
    const means = tape.emit("ReduceMean", [long], [channels], {
      axes: { ints: [1] },
      keepdims: { int: 0 },
    });
    const products = tape.emit("Gemm", [long, long], [channels, channels], {
      transB: { int: 1 },
      alpha: { float: 1 / count },
    });
    const { shape } = slopes[g];
    const square = tape.emit("Mul", [slopes[g], slopes[g]], shape);
    const sum = tape.emit("ReduceSum", [square, tape.integers([2, 3])], shape.slice(0, 2), {
      keepdims: { int: 0 },
    });
    const weight = tape.emit("ReduceMean", [sum], [shape[1]], {
      axes: { ints: [0] },
      keepdims: { int: 0 },
    });
    return [means, products, weight];
  });
  const flat = measured.map((value) => reshapeOf(tape, value, [sizeOf(value.shape)]).name);
  const shapes = measured.map(({ shape }) => shape);
  tape.graph.node("Concat", flat, "statistics", { axis: { int: 0 } });
  tape.graph.output("statistics", [shapes.reduce((sum, shape) => sum + sizeOf(shape), 0)]);

  const places = (name: string) => sizeOf(valueOf(name).shape.slice(2));
  const work = groups.map(({ maker, depthwise, reader }) => {
    const own = [maker, ...depthwise].reduce(
      (sum, { name, kernel }) => sum + places(name) * sizeOf(kernel.shape.slice(1)),
      0,
    );
    return own + places(reader.name) * reader.kernel.shape[0];
  });
  return { bytes: tape.graph.toBytes(), dimensions, shapes, work };
}
