/**
 * Both kinds of students: their gradients, a whole step of training, and that the encoder which is written does what was
 * trained.
 */

import assert from "node:assert/strict";
import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { exportStudent } from "../../../trainer/distill/export_student.ts";
import { featureLoss } from "../../../trainer/distill/feature_loss.ts";
import { sizeOf, Tape } from "../../../trainer/distill/graph/tape.ts";
import { parseStudent, STUDENTS } from "../../../trainer/distill/parse_student.ts";
import {
  buildGradient,
  countNumbers,
  GRADIENT_INPUTS,
  GRADIENT_OUTPUT,
  layOut,
} from "../../../trainer/distill/gradient_graph.ts";
import type { Student } from "../../../trainer/distill/student.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { Random } from "../../../trainer/random.ts";
import { runGraph } from "./run_graph.ts";

const DIMENSIONS = 6;
const BATCH = 3;
const SIDE = 2;
const LOSS = "standardised";
const SPECS = ["conv:16:4:8x1,12x2:10", "vit:16:8:8x2:2"];

const SCALE = {
  mean: drawFloats(DIMENSIONS, 9),
  deviation: drawFloats(DIMENSIONS, 10).map((x) => Math.abs(x) + 0.1),
};

/** Numbers that are no zeros, as some are at first: every part of the student is to matter. */
function drawNumbers({ parameters }: Student, seed: number): Float32Array {
  const random = new Random(seed);
  const numbers = new Float32Array(countNumbers(parameters));
  for (const { parameter: { shape, draw }, at } of layOut(parameters)) {
    for (let i = 0; i < sizeOf(shape); i++) {
      numbers[at + i] = draw(random, i) + 0.3 * random.normal();
    }
  }
  return numbers;
}

function drawFloats(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

/** A student in a graph of its own: its inputs, its embedding, its loss and the gradients of that. */
function build(student: Student) {
  const tape = new Tape("test");
  const placed = layOut(student.parameters);
  const parameters = placed.map(({ parameter: { name, shape } }) =>
    tape.learn(tape.input(name, shape))
  );
  const pixels = tape.input("pixels", [BATCH, 3, student.size, student.size]);
  const features = tape.input("features", [BATCH, SIDE ** 2, DIMENSIONS]);
  const given = Object.fromEntries(parameters.map((value) => [value.name, value]));
  const embedding = student.embed(tape, student.weights(tape, given), pixels, SIDE);
  const loss = featureLoss(tape, LOSS, [embedding, features], SCALE.deviation);
  return { tape, placed, parameters, pixels, features, embedding, loss };
}

/** Runs it with numbers in the order of the state. */
async function run(
  { tape, placed, parameters, pixels, features, embedding, loss }: ReturnType<typeof build>,
  numbers: Float32Array,
  withGradients: boolean,
) {
  const arrays = Object.fromEntries(placed.map(({ parameter: { name, shape }, at }) => [
    name,
    numbers.slice(at, at + sizeOf(shape)),
  ]));
  const gradients = withGradients ? tape.gradients(loss, parameters) : [];
  const [seen, [value], ...slopes] = await runGraph(tape, [...parameters, pixels, features], {
    ...arrays,
    pixels: drawFloats(sizeOf(pixels.shape), 1),
    features: drawFloats(sizeOf(features.shape), 2),
  }, [embedding, loss, ...gradients]);
  const gradient = new Float32Array(numbers.length);
  slopes.forEach((slope, i) => gradient.set(slope, placed[i].at));
  return { seen, loss: value, gradient };
}

for (const spec of SPECS) {
  const kind = spec.slice(0, spec.indexOf(":"));

  Deno.test(`the gradient of a ${kind} student is the slope of its loss in any direction`, async () => {
    const student = parseStudent(spec, SCALE);
    const numbers = drawNumbers(student, 3);
    const { gradient } = await run(build(student), numbers, true);
    for (const seed of [4, 5, 6]) {
      const direction = drawFloats(numbers.length, seed);
      const slope = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
      const moved = async (step: number) => {
        const there = numbers.map((x, i) => x + step * direction[i]);
        return (await run(build(student), there, false)).loss;
      };
      const step = 1e-3;
      const difference = (await moved(step) - await moved(-step)) / (2 * step);
      const scale = Math.hypot(...gradient);
      assert.ok(Math.abs(slope - difference) < 0.01 * scale, `${slope}, not ${difference}`);
    }
  });

  Deno.test(`exportStudent() writes a ${kind} encoder that embeds as in training`, async () => {
    const student = parseStudent(spec, SCALE);
    const numbers = drawNumbers(student, 8);
    const { seen } = await run(build(student), numbers, false);
    const bytes = await exportStudent(student, numbers, wasmBackend);
    const encoder = await openEncoder(bytes, student.size);
    try {
      const pixels = drawFloats(BATCH * 3 * student.size ** 2, 1);
      for (let i = 0; i < BATCH; i++) {
        const picture = pixels.slice(i * pixels.length / BATCH, (i + 1) * pixels.length / BATCH);
        const embedding = await encoder.encode(picture);
        embedding.forEach((x, d) => {
          let sum = 0;
          for (let r = 0; r < SIDE ** 2; r++) sum += seen[(i * SIDE ** 2 + r) * DIMENSIONS + d];
          const expected = sum / SIDE ** 2;
          assert.ok(Math.abs(x - expected) < 1e-5, `${x}, not ${expected}`);
        });
      }
    } finally {
      await encoder.close();
    }
  });
}

Deno.test("buildGradient() gives the gradient in the order of the numbers, and the loss", async () => {
  const student = parseStudent(SPECS[0], SCALE);
  const numbers = drawNumbers(student, 3);
  const expected = await run(build(student), numbers, true);
  const session = await wasmBackend.open(buildGradient(student, {
    batch: BATCH,
    side: SIDE,
    loss: LOSS,
    deviation: SCALE.deviation,
  }));
  const floats = (data: Float32Array, dims: number[]) => ({ type: "float32", data, dims }) as const;
  const { data } = await session.run({
    [GRADIENT_INPUTS.parameters]: floats(numbers, [numbers.length]),
    [GRADIENT_INPUTS.pixels]: floats(drawFloats(BATCH * 3 * 16 ** 2, 1), [BATCH, 3, 16, 16]),
    [GRADIENT_INPUTS.features]: floats(drawFloats(BATCH * SIDE ** 2 * DIMENSIONS, 2), [
      BATCH,
      SIDE ** 2,
      DIMENSIONS,
    ]),
  }, GRADIENT_OUTPUT);
  await session.close();
  assert.deepEqual(data, Float32Array.of(...expected.gradient, expected.loss));
});

Deno.test("parseStudent() knows those that have names", () => {
  for (const name of Object.keys(STUDENTS)) {
    assert.ok(parseStudent(name, SCALE).parameters.length > 0);
  }
});

Deno.test("parseStudent() refuses what cannot be built, and says why", () => {
  for (
    const [spec, why] of [
      ["resnet50", /it is not known/],
      ["conv:100:8:16x1,32x1:32", /its size must be a multiple of 8/],
      ["conv:16:8:15x1:32", /its widths must be even/],
      ["conv:16:0:16x1:32", /a width of 0 lets nothing through/],
      ["vit:100:16:64x2:2", /its size must be a multiple of its patch/],
      ["vit:96:16:64x2:3", /its width must be a multiple of its heads/],
      ["vit:96:0:64x2:3", /none of its numbers may be 0/],
    ] as const
  ) {
    assert.throws(
      () => parseStudent(spec, SCALE),
      (error) => error instanceof TrainerError && why.test(error.message),
    );
  }
});
