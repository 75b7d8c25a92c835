/**
 * What learns labels beside a student: its loss against the formula, and the slope of both losses together.
 */

import assert from "node:assert/strict";
import { wasmBackend } from "@clip-e/edge/encoder";
import {
  buildGradient,
  countNumbers,
  GRADIENT_INPUTS,
  GRADIENT_OUTPUT,
  parametersOf,
} from "../../../trainer/distill/gradient_graph.ts";
import { Tape } from "../../../trainer/distill/graph/tape.ts";
import { makeLabelHead } from "../../../trainer/distill/label_head.ts";
import { parseStudent } from "../../../trainer/distill/parse_student.ts";
import { Random } from "../../../trainer/random.ts";
import { runGraph } from "./run_graph.ts";

const [BATCH, SIDE, DIMENSIONS, LABELS] = [3, 2, 4, 3];

function drawFloats(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

const SCALE = {
  mean: drawFloats(DIMENSIONS, 1),
  deviation: drawFloats(DIMENSIONS, 2).map((x) => Math.abs(x) + 0.2),
};
/** The second view has no label. */
const TARGETS = Float32Array.of(0, 0, 1, 0, 0, 0, 1, 0, 0);

/** Logits of an embedding, written out. */
function logitsOf(numbers: Float32Array, embedding: readonly number[]): number[] {
  return Array.from({ length: LABELS }, (_, k) => {
    const features = embedding.map((x, d) => (x - SCALE.mean[d]) / SCALE.deviation[d]);
    return features.reduce(
      (sum, x, d) => sum + x * numbers[d * LABELS + k],
      numbers[DIMENSIONS * LABELS + k],
    );
  });
}

Deno.test("makeLabelHead() gives the cross-entropy of labels, divided by all views, and the likeliest label", async () => {
  const head = makeLabelHead(LABELS, SCALE);
  const numbers = drawFloats(countNumbers(head.parameters), 3);
  const seen = drawFloats(BATCH * SIDE ** 2 * DIMENSIONS, 4);
  const tape = new Tape("test");
  const inputs = [
    ...head.parameters.map(({ name, shape }) => tape.input(name, shape)),
    tape.input("seen", [BATCH, SIDE ** 2, DIMENSIONS]),
    tape.input("targets", [BATCH, LABELS]),
  ];
  const given = Object.fromEntries(inputs.map((value) => [value.name, value]));
  const loss = head.loss(tape, given, given.seen, given.targets);
  const kernel = DIMENSIONS * LABELS;
  const [[value]] = await runGraph(tape, inputs, {
    "labels.kernel": numbers.slice(0, kernel),
    "labels.bias": numbers.slice(kernel),
    seen,
    targets: TARGETS,
  }, [loss]);

  let expected = 0;
  for (let b = 0; b < BATCH; b++) {
    const embedding = Array.from({ length: DIMENSIONS }, (_, d) => {
      let sum = 0;
      for (let r = 0; r < SIDE ** 2; r++) sum += seen[(b * SIDE ** 2 + r) * DIMENSIONS + d];
      return sum / SIDE ** 2;
    });
    const logits = logitsOf(numbers, embedding);
    assert.equal(
      head.choose(numbers, Float32Array.from(embedding)),
      logits.indexOf(Math.max(...logits)),
    );
    const all = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
    logits.forEach((x, k) => expected += TARGETS[b * LABELS + k] * (all - x) / BATCH);
  }
  assert.ok(Math.abs(value - expected) < 1e-5, `${value}, not ${expected}`);
});

Deno.test("buildGradient() gives the slope of features and labels together, the head's behind the student's", async () => {
  const student = parseStudent("conv:16:4:8x1:10", SCALE);
  const labels = { head: makeLabelHead(LABELS, SCALE), weight: 0.7 };
  const count = countNumbers(parametersOf(student, labels));
  const own = countNumbers(student.parameters);
  assert.equal(count - own, (DIMENSIONS + 1) * LABELS);
  const shape = { batch: BATCH, side: SIDE, deviation: SCALE.deviation } as const;
  const open = (more: { labels?: typeof labels }) =>
    wasmBackend.open(buildGradient(student, { ...shape, ...more, loss: "standardised" }));
  const [joint, plain] = [await open({ labels }), await open({})];
  const floats = (data: Float32Array, dims: number[]) => ({ type: "float32", data, dims }) as const;
  const inputs = {
    [GRADIENT_INPUTS.pixels]: floats(drawFloats(BATCH * 3 * 16 ** 2, 5), [BATCH, 3, 16, 16]),
    [GRADIENT_INPUTS.features]: floats(drawFloats(BATCH * SIDE ** 2 * DIMENSIONS, 6), [
      BATCH,
      SIDE ** 2,
      DIMENSIONS,
    ]),
  };
  const withTargets = { ...inputs, [GRADIENT_INPUTS.targets]: floats(TARGETS, [BATCH, LABELS]) };
  const differentiate = async (numbers: Float32Array) => {
    const parameters = { [GRADIENT_INPUTS.parameters]: floats(numbers, [numbers.length]) };
    const { data } = await joint.run({ ...withTargets, ...parameters }, GRADIENT_OUTPUT);
    assert.ok(data instanceof Float32Array);
    return { gradient: data.subarray(0, count), loss: data[count] };
  };
  try {
    // No zeros, as some are at first: every part is to matter.
    const numbers = drawFloats(count, 7).map((x) => 0.5 * x);
    const { gradient, loss } = await differentiate(numbers);
    for (const from of [0, own]) {
      // In all directions, and in those of the head alone.
      const direction = drawFloats(count, 8).fill(0, 0, from);
      const slope = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
      const moved = async (step: number) =>
        (await differentiate(numbers.map((x, i) => x + step * direction[i]))).loss;
      const step = 1e-3;
      const difference = (await moved(step) - await moved(-step)) / (2 * step);
      const scale = Math.hypot(...gradient.subarray(from));
      assert.ok(Math.abs(slope - difference) < 0.01 * scale, `${slope}, not ${difference}`);
    }
    const parameters = { [GRADIENT_INPUTS.parameters]: floats(numbers.slice(0, own), [own]) };
    const { data } = await plain.run({ ...inputs, ...parameters }, GRADIENT_OUTPUT);
    assert.ok(data instanceof Float32Array);
    assert.ok(loss > data[own] + 0.1, "labels add to the loss");
  } finally {
    await Promise.all([joint.close(), plain.close()]);
  }
});
