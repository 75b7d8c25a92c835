import { tree } from "@jax-js/jax";
import assert from "node:assert/strict";
import { adapterObjective } from "../../../trainer/fit/adapter_loss.ts";
import type { ContrastiveParams } from "../../../trainer/fit/contrastive_loss.ts";
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
import { plainAdapterLoss } from "./plain_losses.ts";

function problem(blend: number, temperature: number, smoothing: number, seed: number) {
  const [size, hidden, classes, examples] = [6, 8, 5, 7];
  const random = seededRandom(seed);
  const prompts = drawPrompts(classes, size, random);
  const head = drawHead(size, hidden, size, random);
  const [x, embeddings] = [drawRows(examples, size, random, 2), drawRows(examples, size, random)];
  const labels = Array.from({ length: examples }, () => random.integer(0, classes - 1));
  const weights = labels.map((label) => Math.fround(0.5 + label / 3));
  const data = { x, labels, weights, smoothing };
  const objective = adapterObjective({
    size,
    hidden,
    prompts: { count: classes, size, vectors: Float32Array.from(prompts.flat()) },
    blend,
    temperature,
    labelSmoothing: smoothing,
    initial: "glorot",
  });
  const [loss, gradients] = objective.differentiate(
    toParams(head, "img_fc2") as ContrastiveParams,
    toBatch(data, objective, embeddings),
  );
  const plain = () => plainAdapterLoss(head, data, embeddings, prompts, blend, temperature);
  return { head, x, objective, loss: loss.item(), gradients, plain };
}

Deno.test("adapterObjective() has the loss of its definition and the gradients of central differences", () => {
  let worst = 0;
  let seed = 10;
  for (const [blend, temperature, smoothing] of [[0.2, 0.05, 0], [0.6, 0.01, 0.1], [1, 0.1, 0]]) {
    const { head, x, objective, loss, gradients, plain } = problem(
      blend,
      temperature,
      smoothing,
      seed++,
    );
    assertNoKink(head, x);
    const expected = plain();
    assert.ok(Math.abs(loss - expected) < 1e-6 * expected, `${loss} is not ${expected}`);
    const error = gradientError(head, plain, gradients);
    assert.ok(error < 1e-5, `blend ${blend}: relative error ${error}`);
    worst = Math.max(worst, error);
    objective.dispose();
  }
  console.log(`largest relative error of a gradient: ${worst.toExponential(1)}`);
});

Deno.test("adapterObjective() refuses a batch without the embeddings themselves", () => {
  const { head, x, objective, gradients } = problem(0.5, 0.1, 0, 20);
  tree.dispose(gradients);
  const data = { x, labels: x.map(() => 0), weights: x.map(() => 1), smoothing: 0 };
  assert.throws(
    () =>
      objective.differentiate(
        toParams(head, "img_fc2") as ContrastiveParams,
        toBatch(data, objective),
      ),
    /the batch has no `units`/,
  );
  objective.dispose();
});
