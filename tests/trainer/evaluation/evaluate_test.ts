import assert from "node:assert/strict";
import { evaluate, rocAuc } from "../../../trainer/evaluation/evaluate.ts";
import { seededRandom } from "../../random.ts";

function near(actual: number | undefined, expected: number, what: string) {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) < 1e-12,
    `${what}: ${actual} is not ${expected}`,
  );
}

/** Six examples of three labels; four are right. The first three are scored 0.5, the others 0.9. */
const TARGETS = [0, 0, 0, 1, 1, 2];
const SCORES = [
  [0.5, 0.25, 0.25],
  [0.5, 0.25, 0.25],
  [0.25, 0.5, 0.25], // wrong
  [0.05, 0.9, 0.05],
  [0.05, 0.05, 0.9], // wrong
  [0.05, 0.05, 0.9],
];

Deno.test("evaluate() gives the figures of an example by hand", () => {
  const figures = evaluate(SCORES, TARGETS, 3);
  assert.deepEqual(figures.confusion, [[2, 1, 0], [0, 1, 1], [0, 0, 1]]);
  assert.equal(figures.count, 6);
  near(figures.accuracy, 4 / 6, "accuracy");
  near(figures.balancedAccuracy, (2 / 3 + 1 / 2 + 1) / 3, "balanced accuracy");
  // Precisions 1, 1/2, 1/2 and recalls 2/3, 1/2, 1.
  near(figures.macroF1, (4 / 5 + 1 / 2 + 2 / 3) / 3, "macro F1");
  near(figures.majority, 3 / 6, "majority");
  // At 0.5 two of three are right, at 0.9 two of three.
  const calibration = (3 * Math.abs(0.5 - 2 / 3) + 3 * Math.abs(0.9 - 2 / 3)) / 6;
  near(figures.expectedCalibrationError, calibration, "expected calibration error");
  const surprise = -(2 * Math.log(0.5) + Math.log(0.25) + 2 * Math.log(0.9) + Math.log(0.05)) / 6;
  near(figures.negativeLogLikelihood, surprise, "negative log-likelihood");
});

Deno.test("evaluate() leaves out a label that is neither present nor said", () => {
  const { confusion, ...expected } = evaluate(SCORES, TARGETS, 3);
  const wider = SCORES.map((score) => [...score, 0]);
  const { confusion: larger, ...actual } = evaluate(wider, TARGETS, 4);
  assert.deepEqual(actual, expected);
  assert.deepEqual(larger, [...confusion.map((row) => [...row, 0]), [0, 0, 0, 0]]);
});

Deno.test("evaluate() counts a label that is said but not present in F1, not in recall", () => {
  const figures = evaluate([[0.8, 0.2, 0], [0.2, 0.8, 0], [0, 0, 1]], [0, 1, 1], 3);
  near(figures.balancedAccuracy, (1 + 1 / 2) / 2, "balanced accuracy");
  near(figures.macroF1, (1 + 2 / 3 + 0) / 3, "macro F1");
});

Deno.test("evaluate() counts equal scores as the first label's", () => {
  assert.deepEqual(evaluate([[0.5, 0.5], [0.5, 0.5]], [0, 1], 2).confusion, [[1, 0], [1, 0]]);
});

Deno.test("evaluate() keeps a score of 0 from making the likelihood infinite", () => {
  near(evaluate([[1, 0]], [1], 2).negativeLogLikelihood, 15 * Math.log(10), "log-likelihood");
});

Deno.test("evaluate() states the ROC AUC for two labels that are both present", () => {
  const scores = [[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]];
  near(evaluate(scores, [0, 0, 1, 1], 2).rocAuc, 3 / 4, "ROC AUC");
  assert.ok(!("rocAuc" in evaluate(scores, [1, 1, 1, 1], 2)));
  assert.ok(!("rocAuc" in evaluate(SCORES, TARGETS, 3)));
  const twoOfThree = scores.map((score) => [...score, 0]);
  assert.ok(!("rocAuc" in evaluate(twoOfThree, [0, 0, 1, 1], 3)));
});

Deno.test("evaluate() refuses no examples, and scores without labels", () => {
  assert.throws(() => evaluate([], [], 2), /Cannot evaluate: there are no examples/);
  assert.throws(() => evaluate([[1, 0]], [0, 1], 2), /1 scores against 2 labels/);
});

Deno.test("rocAuc() is the share of pairs in order, ties counting half", () => {
  const random = seededRandom(8);
  for (let run = 0; run < 100; run++) {
    const count = random.integer(2, 60);
    const steps = random.pick([1, 3, 10, 1e9]); // few steps: many ties
    const targets = Array.from({ length: count }, (_, i) => i < 2 ? i : random.integer(0, 1));
    const scores = targets.map((t) => Math.floor(steps * (random.fraction() + 0.3 * t)) / steps);
    let [won, pairs] = [0, 0];
    for (const [i, above] of scores.entries()) {
      for (const [j, below] of scores.entries()) {
        if (targets[i] !== 1 || targets[j] !== 0) continue;
        pairs++;
        won += above > below ? 1 : above === below ? 0.5 : 0;
      }
    }
    near(rocAuc(scores, targets), won / pairs, `run ${run}`);
  }
});

Deno.test("rocAuc() is not a number where a label is missing", () => {
  assert.ok(Number.isNaN(rocAuc([0.1, 0.2], [1, 1])));
  assert.ok(Number.isNaN(rocAuc([0.1, 0.2], [0, 0])));
});
