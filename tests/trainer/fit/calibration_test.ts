import { softmax } from "@clip-e/shared";
import assert from "node:assert/strict";
import {
  expectedCalibrationError,
  fitTemperature,
  topLabel,
} from "../../../trainer/fit/calibration.ts";
import { seededRandom } from "../../random.ts";

function assertWithin(actual: number, expected: number, share: number) {
  assert.ok(Math.abs(actual / expected - 1) < share, `${actual} is not ${expected}`);
}

Deno.test("fitTemperature() recovers the temperature that labels were drawn at", () => {
  for (const planted of [0.01, 0.4, 1, 2.5, 60]) {
    const random = seededRandom(9);
    const logits = Array.from({ length: 6000 }, () => {
      return Float64Array.from(random.floats(5), (v) => 4 * planted * v);
    });
    const targets = logits.map((z) => {
      let left = random.fraction();
      const label = softmax(z, planted).findIndex((score) => (left -= score) < 0);
      return Math.max(0, label);
    });
    assertWithin(fitTemperature(logits, targets), planted, 0.05);
  }
});

Deno.test("fitTemperature() makes scores the frequencies that they stand for", () => {
  // Three in four have label 1, at one pair of logits: the score that fits is 3/4.
  const targets = Array.from({ length: 4000 }, (_, i) => i % 4 === 0 ? 0 : 1);
  for (const gap of [0.002, 1, 500]) {
    const logits = targets.map(() => [7, 7 + gap]);
    assertWithin(fitTemperature(logits, targets), gap / Math.log(3), 1e-3);
  }
});

Deno.test("fitTemperature() spreads one example's worth of doubt over all labels", () => {
  for (const [count, labels] of [[1, 2], [9, 2], [20, 6]]) {
    const logits = Array.from({ length: count }, () => [5, ...new Array(labels - 1).fill(0)]);
    const doubt = 1 / (count + 1);
    const [right, wrong] = [1 - doubt + doubt / labels, doubt / labels];
    const temperature = fitTemperature(logits, new Array(count).fill(0));
    assertWithin(temperature, 5 / Math.log(right / wrong), 1e-4);
  }
});

Deno.test("fitTemperature() stays within 0.001 and 1000, whatever the logits", () => {
  assertWithin(fitTemperature([[1e-9, 0]], [0]), 1e-3, 1e-4);
  assertWithin(fitTemperature([[1, 0], [1, 0]], [1, 1]), 1e3, 1e-4); // all wrong
  assertWithin(fitTemperature([[1e9, 0]], [0]), 1e3, 1e-4);
});

Deno.test("fitTemperature() refuses to fit to nothing", () => {
  assert.throws(() => fitTemperature([], []), /Cannot fit a temperature: there are no examples/);
});

Deno.test("expectedCalibrationError() weighs each bin by its examples", () => {
  const scores = [[0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.95, 0.05]];
  // At 0.6 one of three is right: 0.2667 off; at 0.95 the one is right: 0.05 off.
  const expected = (3 * (0.6 - 1 / 3) + 0.05) / 4;
  const actual = expectedCalibrationError(scores, [0, 1, 1, 0]);
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}`);
  // In one bin, surplus and lack cancel.
  const one = expectedCalibrationError(scores, [0, 1, 1, 0], 1);
  assert.ok(Math.abs(one - (3 * 0.6 + 0.95 - 2) / 4) < 1e-12, `${one}`);
});

Deno.test("expectedCalibrationError() takes a score of 1 into the last bin", () => {
  assert.equal(expectedCalibrationError([[1, 0], [0, 1]], [0, 1]), 0);
  assert.equal(expectedCalibrationError([[1, 0], [0, 1]], [1, 0]), 1);
  assert.equal(expectedCalibrationError([], []), 0);
});

Deno.test("topLabel() is the highest score's label, the first of equals", () => {
  assert.equal(topLabel([0.2, 0.5, 0.3]), 1);
  assert.equal(topLabel([-3, -1, -1]), 1);
  assert.equal(topLabel(Float32Array.of(4, 4, 4)), 0);
});
