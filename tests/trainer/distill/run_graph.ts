/**
 * Graphs of the distillation, run as tests need them: inputs by name in, all wanted values out.
 */

import { wasmBackend } from "@clip-e/edge/encoder";
import { reshapeOf } from "../../../trainer/distill/graph/matrices.ts";
import { sizeOf, type Tape, type Value } from "../../../trainer/distill/graph/tape.ts";

/** What goes in, by name. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/**
 * Runs a graph, which is not to be used after that.
 *
 * @param tape of it
 * @param inputs those that it has
 * @param wanted values whose numbers are asked for
 */
export async function runGraph(
  tape: Tape,
  inputs: readonly Value[],
  arrays: Arrays,
  wanted: readonly Value[],
): Promise<Float32Array[]> {
  const flat = wanted.map((value) => reshapeOf(tape, value, [sizeOf(value.shape)]).name);
  const total = wanted.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  tape.graph.output(tape.graph.node("Concat", flat, "all", { axis: { int: 0 } }), [total]);
  const session = await wasmBackend.open(tape.graph.toBytes());
  try {
    const { data } = await session.run(
      Object.fromEntries(inputs.map(({ name, shape }) => [
        name,
        { type: "float32", data: arrays[name], dims: shape } as const,
      ])),
      "all",
    );
    if (!(data instanceof Float32Array)) throw new TypeError("Expected floats");
    let at = 0;
    return wanted.map(({ shape }) => data.slice(at, at += sizeOf(shape)));
  } finally {
    await session.close();
  }
}
