/**
 * Losses of features, against their formulas in double precision, and their gradients against differences of these.
 */

import { UsageError } from "@clip-e/shared/command-line";
import assert from "node:assert/strict";
import {
  FEATURE_LOSSES,
  type FeatureLoss,
  featureLoss,
  findFeatureLoss,
} from "../../../trainer/distill/feature_loss.ts";
import { Tape } from "../../../trainer/distill/graph/tape.ts";
import { Random } from "../../../trainer/random.ts";
import { runGraph } from "./run_graph.ts";

const [BATCH, REGIONS, DIMENSIONS] = [3, 4, 5];

type Rows = readonly (readonly number[])[];

/** Pictures of regions of features. */
function draw(seed: number, regions: number): readonly Rows[] {
  const random = new Random(seed);
  const numbers = <T>(count: number, make: () => T) => Array.from({ length: count }, make);
  return numbers(
    BATCH,
    () => numbers(regions, () => numbers(DIMENSIONS, () => random.normal() + 0.5)),
  );
}

const DEVIATION = Float32Array.of(0.5, 1, 2, 0.25, 1.5);

const average = (numbers: readonly number[]) =>
  numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const meanRow = (rows: Rows) => rows[0].map((_, d) => average(rows.map((row) => row[d])));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, x, d) => s + x * b[d], 0);

/** Between two rows of features. */
const DISTANCES: Readonly<
  Record<FeatureLoss, (a: readonly number[], b: readonly number[]) => number>
> = {
  standardised: (a, b) => average(a.map((x, d) => ((x - b[d]) / DEVIATION[d]) ** 2)),
  mse: (a, b) =>
    average(a.map((x, d) => (x - b[d]) ** 2)) / average([...DEVIATION].map((x) => x * x)),
  cosine: (a, b) => 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
};

/** Of pictures by their definition. */
function expectedLoss(name: FeatureLoss, seen: readonly Rows[], features: readonly Rows[]): number {
  const distance = DISTANCES[name];
  const whole = average(seen.map((rows, b) => distance(meanRow(rows), meanRow(features[b]))));
  if (seen[0].length === 1) return whole;
  return whole +
    average(seen.flatMap((rows, b) => rows.map((row, r) => distance(row, features[b][r]))));
}

const flatten = (pictures: readonly Rows[]) => Float32Array.from(pictures.flat(2));

for (const name of Object.keys(DISTANCES) as FeatureLoss[]) {
  for (const regions of [1, REGIONS]) {
    Deno.test(`featureLoss() is what ${name} means, and so is its gradient, with ${regions} to a picture`, async () => {
      const [seen, features] = [draw(1, regions), draw(2, regions)];
      const tape = new Tape("test");
      const shape = [BATCH, regions, DIMENSIONS];
      const inputs = [
        tape.learn(tape.input("seen", shape)),
        tape.input("features", shape),
      ] as const;
      const loss = featureLoss(tape, name, inputs, DEVIATION);
      const arrays = { seen: flatten(seen), features: flatten(features) };
      const wanted = [loss, ...tape.gradients(loss, [inputs[0]])];
      const [[value], gradient] = await runGraph(tape, inputs, arrays, wanted);
      const expected = expectedLoss(name, seen, features);
      assert.ok(Math.abs(value - expected) < 1e-5, `${value}, not ${expected}`);
      const step = 1e-5;
      gradient.forEach((slope, i) => {
        const moved = (by: number) => {
          let at = 0;
          const there = seen.map((rows) =>
            rows.map((row) => row.map((x) => at++ === i ? x + by : x))
          );
          return expectedLoss(name, there, features);
        };
        const difference = (moved(step) - moved(-step)) / (2 * step);
        assert.ok(Math.abs(slope - difference) < 1e-5, `${slope}, not ${difference}`);
      });
    });
  }
}

Deno.test("findFeatureLoss() knows every name, and refuses others in a sentence", () => {
  for (const name of Object.keys(FEATURE_LOSSES)) assert.equal(findFeatureLoss(name), name);
  assert.throws(
    () => findFeatureLoss("l1"),
    (error) =>
      error instanceof UsageError && /--loss must be .*cosine, and not "l1"/.test(error.message),
  );
});
