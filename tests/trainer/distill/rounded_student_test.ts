/**
 * Students with rounded kernels: what is written loses nothing as 8-bit integers, and learns by the slope of what it rounds to.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import assert from "node:assert/strict";
import { exportStudent } from "../../../trainer/distill/export_student.ts";
import {
  buildGradient,
  countNumbers,
  GRADIENT_INPUTS,
  GRADIENT_OUTPUT,
  layOut,
} from "../../../trainer/distill/gradient_graph.ts";
import { sizeOf } from "../../../trainer/distill/graph/tape.ts";
import { makeHead, type Student } from "../../../trainer/distill/student.ts";
import { parseStudent } from "../../../trainer/distill/parse_student.ts";
import { roundKernels } from "../../../trainer/distill/rounded_student.ts";
import {
  modelFiles,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../../../trainer/quantize/mod.ts";
import { Random } from "../../../trainer/random.ts";

const SIZE = 16;
const DIMENSIONS = 6;
const SCALE = {
  mean: new Float32Array(DIMENSIONS),
  deviation: new Float32Array(DIMENSIONS).fill(1),
};

function draw(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

Deno.test("roundKernels() makes an encoder that is the same with its weights as 8-bit integers", async () => {
  const student = parseStudent(`conv:${SIZE}:8:16x2:16`, SCALE);
  const numbers = draw(countNumbers(student.parameters), 1).map((x) => 0.3 * x);
  const pixels = draw(3 * SIZE ** 2, 2);
  const embed = async (bytes: Uint8Array) => {
    const encoder = await openEncoder(bytes, SIZE);
    try {
      return await encoder.encode(pixels);
    } finally {
      await encoder.close();
    }
  };
  /** How far storing the weights as integers moves the embedding, in parts of its length. */
  const lost = async (learner: Student) => {
    const bytes = await exportStudent(learner, numbers, wasmBackend);
    const model = { proto: readModel(bytes, "the student"), external: NO_EXTERNAL_DATA };
    const { model: small } = await quantizeModel(model, { mode: "int8-weights", conv: "weights" });
    const [before, after] = [await embed(bytes), await embed((await modelFiles(small)).bytes)];
    return Math.hypot(...before.map((x, d) => x - after[d])) / Math.hypot(...before);
  };
  const [plain, rounded] = [await lost(student), await lost(roundKernels(student))];
  assert.ok(plain > 1e-3, `a plain student loses no more than ${plain}`);
  assert.ok(rounded < 1e-5, `a rounded student loses ${rounded}`);
});

/** A student that is a dense layer of the means of three colours. */
function denseStudent(): Student {
  const head = makeHead(3, SCALE);
  return {
    size: SIZE,
    parameters: head.parameters,
    weights: head.weights,
    embed(tape, weights, pixels) {
      const means = tape.emit("ReduceMean", [pixels], [1, 3, 1, 1], { axes: { ints: [2, 3] } });
      const rows = tape.emit("Reshape", [means, tape.integers([1, 1, 3])], [1, 1, 3]);
      return head.apply(tape, weights, rows);
    },
  };
}

Deno.test("roundKernels() learns by the slope at what it rounds to, by outputs", async () => {
  const student = denseStudent();
  const numbers = draw(countNumbers(student.parameters), 3);
  const differentiate = async (learner: Student, there: Float32Array) => {
    const shape = { batch: 1, side: 1, loss: "mse", ...SCALE } as const;
    const session = await wasmBackend.open(buildGradient(learner, shape));
    const floats = (data: Float32Array, dims: number[]) =>
      ({ type: "float32", data, dims }) as const;
    try {
      const { data } = await session.run({
        [GRADIENT_INPUTS.parameters]: floats(there, [there.length]),
        [GRADIENT_INPUTS.pixels]: floats(draw(3 * SIZE ** 2, 4), [1, 3, SIZE, SIZE]),
        [GRADIENT_INPUTS.features]: floats(draw(DIMENSIONS, 5), [1, 1, DIMENSIONS]),
      }, GRADIENT_OUTPUT);
      assert.ok(data instanceof Float32Array);
      return data.slice();
    } finally {
      await session.close();
    }
  };
  const expected = numbers.slice();
  const [{ parameter: { shape }, at }] = layOut(student.parameters);
  const [inputs, units] = shape;
  for (let unit = 0; unit < units; unit++) {
    const places = Array.from({ length: inputs }, (_, i) => at + i * units + unit);
    const step = Math.max(...places.map((i) => Math.abs(numbers[i]))) / 127;
    for (const i of places) expected[i] = Math.round(numbers[i] / step) * step;
  }
  assert.equal(sizeOf(shape), inputs * units);
  const [rounded, there] = [
    await differentiate(roundKernels(student), numbers),
    await differentiate(student, expected),
  ];
  rounded.forEach((x, i) => assert.ok(Math.abs(x - there[i]) < 1e-5, `${x}, not ${there[i]}`));
  const plain = await differentiate(student, numbers);
  assert.ok(rounded.some((x, i) => Math.abs(x - plain[i]) > 1e-4), "rounding changes nothing");
});
