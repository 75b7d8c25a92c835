import assert from "node:assert/strict";
import { expectedCalibrationError } from "../../../trainer/fit/calibration.ts";
import { evaluate } from "../../../trainer/evaluation/evaluate.ts";
import { bootstrapIntervals } from "../../../trainer/evaluation/bootstrap.ts";
import { compareMethods } from "../../../trainer/evaluation/compare_methods.ts";
import { mcnemar } from "../../../trainer/evaluation/mcnemar.ts";
import { measure } from "../../../trainer/evaluation/measure.ts";
import { pickMistakes } from "../../../trainer/evaluation/pick_mistakes.ts";
import { reliabilityBins } from "../../../trainer/evaluation/reliability.ts";
import { seededRandom } from "../../random.ts";
import { hits, randomExamples } from "./plain_figures.ts";

const random = seededRandom(9);

Deno.test("reliabilityBins() sorts examples by their top score, and tells how often they are right", () => {
  const scores = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.05, 0.9, 0.05], [1, 0, 0]];
  const bins = reliabilityBins(scores, [0, 0, 1, 2]);
  assert.equal(bins.length, 15);
  assert.deepEqual(bins[7], { count: 2, confidence: 0.5, accuracy: 0.5 });
  assert.deepEqual(bins[13], { count: 1, confidence: 0.9, accuracy: 1 });
  assert.deepEqual(bins[14], { count: 1, confidence: 1, accuracy: 0 });
  assert.deepEqual(bins[3], { count: 0, confidence: 0, accuracy: 0 });
  assert.equal(bins.reduce((sum, { count }) => sum + count, 0), 4);
});

Deno.test("reliabilityBins() have the expected calibration error for their mean gap", () => {
  for (const classes of [2, 6, 25]) {
    const { scores, targets } = randomExamples(random, 500, classes);
    const gaps = reliabilityBins(scores, targets)
      .map(({ count, confidence, accuracy }) => count * Math.abs(confidence - accuracy));
    const mean = gaps.reduce((a, b) => a + b) / 500;
    assert.ok(Math.abs(mean - expectedCalibrationError(scores, targets)) < 1e-12);
  }
});

Deno.test("measure() evaluates every seed, and the first one's intervals and bins", () => {
  const { scores: first, targets } = randomExamples(random, 90, 3);
  const second = first.map((score) => score.toReversed());
  const options = { resamples: 30, seed: 4, validationAccuracy: 0.5 };
  const measurement = measure("cross-entropy", [first, second], targets, 3, options);
  assert.deepEqual(measurement, {
    row: "cross-entropy",
    evaluations: [evaluate(first, targets, 3), evaluate(second, targets, 3)],
    intervals: bootstrapIntervals(first, targets, 3, { resamples: 30, seed: 4 }),
    reliability: reliabilityBins(first, targets),
    validationAccuracy: 0.5,
  });
  assert.equal("validationAccuracy" in measure("zero-shot", [first], targets, 3, {}), false);
});

Deno.test("measure() refuses a method without scores", () => {
  assert.throws(() => measure("zero-shot", [], [0], 2), {
    name: "RangeError",
    message: "Cannot measure zero-shot: there are no scores",
  });
});

Deno.test("compareMethods() compares every two methods on what only one of them has right", () => {
  const { scores: a, targets } = randomExamples(random, 200, 2);
  const b = randomExamples(random, 200, 2).scores;
  const c = targets.map((target) => [1 - target, target]); // always right
  const [hitsA, hitsB] = [hits({ scores: a, targets }), hits({ scores: b, targets })];
  const both = (right: boolean, wrong: boolean) =>
    hitsA.filter((hit, i) => hit === right && hitsB[i] === wrong).length;
  const methods = [{ row: "a", scores: a }, { row: "b", scores: b }, { row: "c", scores: c }];
  const [ab, ac, bc, ...others] = compareMethods(methods, targets);
  assert.deepEqual(ab, {
    first: "a",
    second: "b",
    onlyFirst: both(true, false),
    onlySecond: both(false, true),
    p: mcnemar(both(true, false), both(false, true)),
  });
  assert.ok(ab.onlyFirst > 0 && ab.onlySecond > 0);
  assert.deepEqual([ac.first, ac.second, ac.onlyFirst], ["a", "c", 0]);
  assert.equal(ac.onlySecond, hitsA.filter((hit) => !hit).length);
  assert.deepEqual([bc.first, bc.second], ["b", "c"]);
  assert.deepEqual(others, []);
});

Deno.test("compareMethods() refuses a method on other pictures, by its name", () => {
  assert.throws(() => compareMethods([{ row: "zero-shot", scores: [[1, 0]] }], [0, 1]), {
    name: "RangeError",
    message: "Cannot compare zero-shot: it has 1 scores for 2 labels",
  });
});

Deno.test("pickMistakes() gives the wrong answers, the surest first, and of equals the earlier", () => {
  const scores = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.2, 0.8], [0.95, 0.05]];
  const pictures = {
    names: ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"],
    targets: [0, 0, 1, 0, 1],
    labels: ["negative", "positive"],
  };
  const mistakes = pickMistakes(scores, pictures);
  assert.deepEqual(mistakes, [
    { name: "e.jpg", label: "positive", predicted: "negative", score: 0.95 },
    { name: "b.jpg", label: "negative", predicted: "positive", score: 0.8 },
    { name: "d.jpg", label: "negative", predicted: "positive", score: 0.8 },
    { name: "c.jpg", label: "positive", predicted: "negative", score: 0.7 },
  ]);
  assert.deepEqual(pickMistakes(scores, pictures, 2), mistakes.slice(0, 2));
});

Deno.test("pickMistakes() gives twelve unless told, and none of a method that is always right", () => {
  const targets = new Array<number>(20).fill(1);
  const pictures = { names: targets.map((_, i) => `${i}`), targets, labels: ["x", "y"] };
  assert.equal(pickMistakes(targets.map(() => [1, 0]), pictures).length, 12);
  assert.deepEqual(pickMistakes(targets.map(() => [0, 1]), pictures), []);
});
