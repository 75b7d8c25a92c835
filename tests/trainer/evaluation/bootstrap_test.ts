import assert from "node:assert/strict";
import { evaluate } from "../../../trainer/evaluation/evaluate.ts";
import { bootstrapIntervals, quantile } from "../../../trainer/evaluation/bootstrap.ts";
import { weighedFigures } from "../../../trainer/evaluation/weighed_figures.ts";
import { seededRandom } from "../../random.ts";
import { type Examples, hits, pairwiseRocAuc, randomExamples } from "./plain_figures.ts";

const random = seededRandom(7);

/** The examples, each as often as its count says. */
function repeated({ scores, targets }: Examples, counts: Uint32Array): Examples {
  const order = [...counts].flatMap((count, i) => new Array<number>(count).fill(i));
  return { scores: order.map((i) => scores[i]), targets: order.map((i) => targets[i]) };
}

Deno.test("weighedFigures() are those of the examples, each repeated as often as it counts", () => {
  for (const classes of [2, 6, 25]) {
    const examples = randomExamples(random, 60, classes);
    // Ties between scores, which the ROC curve has to share.
    examples.scores[1] = examples.scores[0];
    examples.scores[3] = examples.scores[2];
    const figuresOf = weighedFigures(examples.scores, examples.targets, classes);
    for (let round = 0; round < 20; round++) {
      const counts = Uint32Array.from(examples.targets, () => random.integer(0, 3));
      const many = repeated(examples, counts);
      const { confusion: _, count: __, majority: ___, ...expected } = evaluate(
        many.scores,
        many.targets,
        classes,
      );
      const figures = figuresOf(counts);
      assert.deepEqual(Object.keys(figures), Object.keys(expected));
      for (const [name, value] of Object.entries(expected)) {
        const actual = figures[name as keyof typeof figures] ?? NaN;
        assert.ok(Math.abs(actual - value) < 1e-12, `${name}: ${actual} is not ${value}`);
      }
      if (classes !== 2) continue;
      assert.ok(Math.abs((figures.rocAuc ?? NaN) - pairwiseRocAuc(many)) < 1e-12);
    }
  }
});

Deno.test("weighedFigures() have no ROC curve where the counts leave a label out", () => {
  const figuresOf = weighedFigures([[0.2, 0.8], [0.6, 0.4]], [1, 0], 2);
  assert.equal(figuresOf(Uint32Array.of(1, 1)).rocAuc, 1);
  assert.equal(figuresOf(Uint32Array.of(2, 0)).rocAuc, undefined);
});

Deno.test("bootstrapIntervals() of accuracy are as wide as the binomial distribution says", () => {
  const examples = randomExamples(random, 2000, 6);
  const { accuracy } = evaluate(examples.scores, examples.targets, 6);
  const deviation = Math.sqrt(accuracy * (1 - accuracy) / 2000);
  const { low, high } = bootstrapIntervals(examples.scores, examples.targets, 6).accuracy;
  // 1,000 draws place a 2.5th percentile to about a tenth of a deviation.
  assert.ok(Math.abs((low - accuracy) / deviation + 1.96) < 0.4, `${low}`);
  assert.ok(Math.abs((high - accuracy) / deviation - 1.96) < 0.4, `${high}`);
  assert.equal(hits(examples).filter(Boolean).length / 2000, accuracy);
});

Deno.test("bootstrapIntervals() hold about 95 % of what other samples come to", () => {
  const truth = evaluate(...tuple(randomExamples(random, 50_000, 3)), 3);
  let held = 0;
  for (let round = 0; round < 200; round++) {
    const { scores, targets } = randomExamples(random, 150, 3);
    const { low, high } =
      bootstrapIntervals(scores, targets, 3, { resamples: 200 }).balancedAccuracy;
    if (low <= truth.balancedAccuracy && truth.balancedAccuracy <= high) held++;
  }
  assert.ok(held >= 178 && held <= 199, `${held} of 200`);
});

function tuple({ scores, targets }: Examples): [number[][], number[]] {
  return [scores, targets];
}

Deno.test("bootstrapIntervals() name every figure of an evaluation but counts", () => {
  const { scores, targets } = randomExamples(random, 50, 2);
  const { confusion: _, count: __, majority: ___, ...figures } = evaluate(scores, targets, 2);
  const intervals = bootstrapIntervals(scores, targets, 2, { resamples: 50 });
  assert.deepEqual(Object.keys(intervals).sort(), Object.keys(figures).sort());
  for (const { low, high } of Object.values(intervals)) assert.ok(low < high);
  const three = bootstrapIntervals([[1, 0, 0], [0, 1, 0]], [0, 1], 3, { resamples: 5 });
  assert.equal("rocAuc" in three, false);
});

Deno.test("bootstrapIntervals() are the same for the same seed, and others for another", () => {
  const { scores, targets } = randomExamples(random, 80, 4);
  const of = (seed: number) => bootstrapIntervals(scores, targets, 4, { resamples: 100, seed });
  assert.deepEqual(of(1), of(1));
  assert.notDeepEqual(of(1), of(2));
  assert.deepEqual(
    bootstrapIntervals(scores, targets, 4),
    bootstrapIntervals(scores, targets, 4, { resamples: 1000, seed: 0 }),
  );
});

Deno.test("bootstrapIntervals() leave out the ROC curve where there is only one label", () => {
  const intervals = bootstrapIntervals([[0.3, 0.7], [0.2, 0.8]], [1, 1], 2, { resamples: 10 });
  assert.equal("rocAuc" in intervals, false);
  assert.deepEqual(intervals.accuracy, { low: 1, high: 1 });
});

Deno.test("bootstrapIntervals() refuse no examples, and labels without scores", () => {
  assert.throws(() => bootstrapIntervals([], [], 2), {
    name: "RangeError",
    message: "Cannot find intervals: there are no examples",
  });
  assert.throws(() => bootstrapIntervals([[1, 0]], [0, 1], 2), {
    name: "RangeError",
    message: "Cannot find intervals of 1 scores and 2 labels",
  });
});

Deno.test("quantile() lies between two values as far as its share does", () => {
  assert.equal(quantile([1, 2, 3, 4, 5], 0.5), 3);
  assert.equal(quantile([1, 2, 3, 4, 5], 0), 1);
  assert.equal(quantile([1, 2, 3, 4, 5], 1), 5);
  assert.equal(quantile([0, 10], 0.25), 2.5);
  assert.equal(quantile([7], 0.9), 7);
});
