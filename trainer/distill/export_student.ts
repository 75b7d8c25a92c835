/**
 * A student as an encoder for bundles: its weights computed once, and nothing left of training.
 */

import type { Backend } from "@clip-e/edge/encoder";
import { reshapeOf } from "./graph/matrices.ts";
import { sizeOf, Tape, type Value } from "./graph/tape.ts";
import { countNumbers, takeApart } from "./gradient_graph.ts";
import type { Student } from "./student.ts";

/**
 * Writes an encoder.
 *
 * @param student which
 * @param numbers `[P]`, its parameters in the order of the state
 * @param backend what computes the weights
 * @returns ONNX: `pixel_values`, `[batch, 3, S, S]`, to `image_embeds`, `[batch, D]`
 */
export async function exportStudent(
  student: Student,
  numbers: Float32Array,
  backend: Backend,
): Promise<Uint8Array<ArrayBuffer>> {
  const weights = await computeWeights(student, numbers, backend);
  const tape = new Tape("distilled_encoder");
  const pixels = tape.graph.input("pixel_values", ["batch", 3, student.size, student.size]);
  const constants = Object.fromEntries(
    weights.map(({ name, shape, data }): [string, Value] => [
      name,
      { name: tape.graph.float32(name, shape, data), shape },
    ]),
  );
  const embedding = student.embed(tape, constants, {
    name: pixels,
    shape: [1, 3, student.size, student.size],
  }, 1);
  tape.graph.node("Flatten", [embedding.name], "image_embeds", { axis: { int: 1 } });
  tape.graph.output("image_embeds", ["batch", embedding.shape[2]]);
  return tape.graph.toBytes();
}

/** What parameters make. */
async function computeWeights(student: Student, numbers: Float32Array, backend: Backend) {
  const tape = new Tape("weights");
  const count = countNumbers(student.parameters);
  const vector = tape.input("parameters", [count]);
  const weights = student.weights(tape, takeApart(tape, vector, student.parameters));
  const flat = Object.values(weights).map((weight) =>
    reshapeOf(tape, weight, [sizeOf(weight.shape)])
  );
  const total = flat.reduce((sum, { shape: [length] }) => sum + length, 0);
  tape.graph.node("Concat", flat.map(({ name }) => name), "weights", { axis: { int: 0 } });
  tape.graph.output("weights", [total]);

  const session = await backend.open(tape.graph.toBytes());
  try {
    const input = { type: "float32", data: numbers, dims: [count] } as const;
    const { data } = await session.run({ parameters: input }, "weights");
    if (!(data instanceof Float32Array)) throw new TypeError("Weights must be 32-bit floats");
    let at = 0;
    return Object.entries(weights).map(([name, { shape }]) => {
      const length = sizeOf(shape);
      return { name, shape, data: data.slice(at, at += length) };
    });
  } finally {
    await session.close();
  }
}
