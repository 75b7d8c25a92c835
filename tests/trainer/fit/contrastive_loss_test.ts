import { tree } from "@jax-js/jax";
import assert from "node:assert/strict";
import {
  contrastiveObjective,
  type ContrastiveParams,
} from "../../../trainer/fit/contrastive_loss.ts";
import { seededRandom } from "../../random.ts";
import {
  assertNoKink,
  drawHead,
  drawPrompts,
  drawRows,
  gradientError,
  toBatch,
  toParams,
} from "./gradient_problem.ts";
import { output, plainContrastiveLoss, unit } from "./plain_losses.ts";

/** A head, prompts and examples; labels repeat, and not every label need occur. */
function problem(
  { examples, classes, temperature, seed, labels }: {
    examples: number;
    classes: number;
    temperature: number;
    seed: number;
    labels?: number[];
  },
) {
  const [size, hidden, width] = [5, 8, 6];
  const random = seededRandom(seed);
  const prompts = drawPrompts(classes, width, random);
  const head = drawHead(size, hidden, width, random);
  const x = drawRows(examples, size, random, 2);
  labels ??= Array.from({ length: examples }, () => random.integer(0, classes - 1));
  const objective = contrastiveObjective({
    size,
    hidden,
    prompts: { count: classes, size: width, vectors: Float32Array.from(prompts.flat()) },
    temperature,
    initial: "glorot",
  });
  const texts = labels.map((label) => prompts[label]);
  const weights = Array(examples).fill(1);
  return {
    head,
    x,
    objective,
    prompts,
    params: () => toParams(head, "img_fc2") as ContrastiveParams,
    batch: () => toBatch({ x, labels, weights, smoothing: 0 }, objective),
    plain: () => plainContrastiveLoss(head, x, texts, temperature),
  };
}

const CASES = [
  { examples: 7, classes: 3, temperature: 0.075, seed: 1 },
  { examples: 8, classes: 4, temperature: 0.075, seed: 2 },
  { examples: 9, classes: 25, temperature: 0.075, seed: 3 }, // most labels do not occur
  { examples: 5, classes: 2, temperature: 0.075, seed: 4, labels: [1, 1, 1, 1, 1] },
  { examples: 7, classes: 6, temperature: 0.5, seed: 5 },
  { examples: 7, classes: 6, temperature: 0.02, seed: 6 },
];

Deno.test("contrastiveObjective() has the loss of its definition, with a text for each picture", () => {
  let worst = 0;
  for (const options of CASES) {
    const { objective, params, batch, plain } = problem(options);
    const expected = plain();
    const [loss, gradients] = objective.differentiate(params(), batch());
    const value = loss.item();
    const alone = objective.batchLoss?.(params(), batch()).item();
    assert.equal(alone, value, "batchLoss() is another loss than that of differentiate()");
    worst = Math.max(worst, Math.abs(value - expected) / expected);
    tree.dispose(gradients);
    objective.dispose();
  }
  assert.ok(worst < 1e-6, `the loss is off by ${worst} of itself`);
  console.log(`largest relative error of the loss: ${worst.toExponential(1)}`);
});

Deno.test("contrastiveObjective() has the gradients of central differences, through the targets too", () => {
  let worst = 0;
  for (const options of CASES) {
    const { head, x, objective, params, batch, plain } = problem(options);
    assertNoKink(head, x);
    const [loss, gradients] = objective.differentiate(params(), batch());
    loss.dispose();
    const error = gradientError(head, plain, gradients);
    assert.ok(error < 1e-5, `${JSON.stringify(options)}: relative error ${error}`);
    worst = Math.max(worst, error);
    objective.dispose();
  }
  console.log(`largest relative error of a gradient: ${worst.toExponential(1)}`);
});

Deno.test("contrastiveObjective() says the cosine to each prompt, and nothing for padding", () => {
  const { head, x, objective, prompts, params, batch } = problem(CASES[0]);
  const logits = objective.logits(params(), batch());
  assert.deepEqual(logits.shape, [7, 4]);
  const actual = logits.dataSync();
  for (const [i, row] of x.entries()) {
    assert.ok(actual[4 * i + 3] < -1e6, "what is padding would win where all cosines are negative");
    const image = unit(output(head, row));
    for (const [k, prompt] of prompts.entries()) {
      const cosine = prompt.reduce((sum, v, d) => sum + v * image[d], 0);
      assert.ok(Math.abs(actual[4 * i + k] - cosine) < 1e-6, `${actual[4 * i + k]}, ${cosine}`);
    }
  }
  objective.dispose();
});
