import { numpy as np, tree } from "@jax-js/jax";
import assert from "node:assert/strict";
import {
  crossEntropyObjective,
  type CrossEntropyOptions,
  type CrossEntropyParams,
} from "../../../trainer/fit/cross_entropy_loss.ts";
import { padUnits } from "../../../trainer/fit/layers.ts";
import { Random } from "../../../trainer/random.ts";
import { seededRandom } from "../../random.ts";
import {
  assertNoKink,
  drawHead,
  drawRows,
  gradientError,
  toBatch,
  toParams,
} from "./gradient_problem.ts";
import {
  type Examples,
  type PlainHead,
  plainSigmoidLoss,
  plainSoftmaxLoss,
} from "./plain_losses.ts";

const [SIZE, HIDDEN, EXAMPLES] = [9, 11, 7];

function makeObjective(options: Partial<CrossEntropyOptions> & { classes: number }) {
  return crossEntropyObjective({
    size: SIZE,
    hidden: HIDDEN,
    output: "softmax",
    labelSmoothing: 0,
    initial: "he",
    ...options,
  });
}

function examples(classes: number, weighted: boolean, smoothing: number, seed: number): Examples {
  const random = seededRandom(seed);
  const ofLabels = drawRows(1, classes, random)[0].map((v) => weighted ? Math.fround(1.2 + v) : 1);
  const labels = Array.from({ length: EXAMPLES }, () => random.integer(0, classes - 1));
  return {
    x: drawRows(EXAMPLES, SIZE, random, 2),
    labels,
    weights: labels.map((label) => ofLabels[label]),
    smoothing,
  };
}

function differentiate(
  head: PlainHead,
  data: Examples,
  objective: ReturnType<typeof makeObjective>,
): [number, CrossEntropyParams] {
  const width = objective.targets[0].length;
  const params = toParams(head, "preds", width) as CrossEntropyParams;
  const [loss, gradients] = objective.differentiate(params, toBatch(data, objective));
  return [loss.item(), gradients];
}

Deno.test("crossEntropyObjective() has the loss of its definition and the gradients of central differences", () => {
  let worst = { error: 0, where: "" };
  let seed = 40;
  for (
    const [classes, output] of [[2, "softmax"], [6, "softmax"], [25, "softmax"], [
      2,
      "sigmoid",
    ]] as const
  ) {
    for (
      const [weighted, smoothing] of [[false, 0], [true, 0], [false, 0.1], [true, 0.3]] as const
    ) {
      const data = examples(classes, weighted, smoothing, seed++);
      const head = drawHead(SIZE, HIDDEN, output === "sigmoid" ? 1 : classes, seededRandom(seed++));
      assertNoKink(head, data.x);
      const objective = makeObjective({ classes, output, labelSmoothing: smoothing });
      const [loss, gradients] = differentiate(head, data, objective);
      const plain = () =>
        output === "sigmoid" ? plainSigmoidLoss(head, data) : plainSoftmaxLoss(head, data);
      const expected = plain();
      const where = `${output} of ${classes}, smoothing ${smoothing}${
        weighted ? ", weighted" : ""
      }`;
      assert.ok(Math.abs(loss - expected) < 5e-6 * expected, `${where}: ${loss}, not ${expected}`);
      const error = gradientError(head, plain, gradients);
      assert.ok(error < 1e-5, `${where}: relative error ${error}`);
      if (error > worst.error) worst = { error, where };
      objective.dispose();
    }
  }
  console.log(
    `largest relative error of a gradient: ${worst.error.toExponential(1)} (${worst.where})`,
  );
});

/** A head that says the same of every example: its logits are its last biases. */
function constantHead(logits: number[]): PlainHead {
  const zeros = (rows: number, columns: number) =>
    Array.from({ length: rows }, () => Array(columns).fill(0));
  return [
    { kernel: zeros(SIZE, HIDDEN), bias: Array(HIDDEN).fill(0) },
    { kernel: zeros(HIDDEN, logits.length), bias: logits },
  ];
}

Deno.test("crossEntropyObjective() counts smoothing and weights as worked out by hand", () => {
  // Scores 1/2, 1/4, 1/4, so that losses are multiples of log 2.
  const head = constantHead([Math.log(2), 0, 0].map(Math.fround));
  const lossOf = (labels: number[], weights: number[], smoothing: number) => {
    const objective = makeObjective({ classes: 3, labelSmoothing: smoothing });
    const x = labels.map(() => Array(SIZE).fill(1));
    const [loss, gradients] = differentiate(head, { x, labels, weights, smoothing }, objective);
    tree.dispose(gradients);
    objective.dispose();
    return loss / Math.log(2);
  };
  const close = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);
  close(lossOf([0], [1], 0), 1);
  close(lossOf([1], [1], 0), 2);
  close(lossOf([0, 1], [1, 1], 0), 1.5);
  close(lossOf([0, 1], [2, 0.5], 0), (2 * 1 + 0.5 * 2) / 2); // the mean is over examples, not weights
  close(lossOf([0], [1], 0.3), 0.8 * 1 + 0.1 * 2 + 0.1 * 2); // 0.3 is 0.1 for each of three labels
  close(lossOf([1], [1], 0.3), 0.1 * 1 + 0.8 * 2 + 0.1 * 2);
});

Deno.test("crossEntropyObjective() gives a sigmoid's unit to the second label", () => {
  const objective = makeObjective({ classes: 2, output: "sigmoid" });
  const head = constantHead([Math.fround(Math.log(3))]); // p(second) = 3/4
  const x = [Array(SIZE).fill(1)];
  for (const [label, score] of [[0, 1 / 4], [1, 3 / 4]]) {
    const [loss, gradients] = differentiate(
      head,
      { x, labels: [label], weights: [1], smoothing: 0 },
      objective,
    );
    tree.dispose(gradients);
    assert.ok(Math.abs(loss + Math.log(score)) < 1e-6, `${label}: ${loss}`);
  }
  objective.dispose();
});

Deno.test("crossEntropyObjective() stays finite where an exponential would overflow", () => {
  const data = examples(6, false, 0, 90);
  const head = drawHead(SIZE, HIDDEN, 6, seededRandom(91));
  for (const row of head[1].kernel) row.forEach((v, k) => row[k] = Math.fround(v * 1e4));
  const objective = makeObjective({ classes: 6 });
  const [loss, gradients] = differentiate(head, data, objective);
  assert.ok(loss > 1000 && Math.abs(loss / plainSoftmaxLoss(head, data) - 1) < 1e-5, `${loss}`);
  for (const array of tree.leaves<np.Array>(gradients)) {
    assert.ok(Array.from(array.dataSync()).every(Number.isFinite));
  }
  objective.dispose();
});

Deno.test("crossEntropyObjective() starts without an opinion: its first loss is log K", () => {
  for (const [classes, output] of [[2, "softmax"], [25, "softmax"], [2, "sigmoid"]] as const) {
    const objective = makeObjective({ classes, output });
    const data = examples(classes, false, 0, 95);
    const params = objective.init(new Random(1));
    assert.deepEqual(params.preds.kernel.shape, [HIDDEN, padUnits(classes)]);
    const [loss, gradients] = objective.differentiate(params, toBatch(data, objective));
    tree.dispose(gradients);
    assert.ok(Math.abs(loss.item() - Math.log(classes)) < 1e-6);
    objective.dispose();
  }
});
