/** Fits to planted data, where it is known what a head can learn and what it cannot. */

import {
  contrastiveLogits,
  type CrossEntropyHead,
  crossEntropyLogits,
  type Head,
  softmax,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { TrainerError } from "../../../trainer/errors.ts";
import { fit } from "../../../trainer/fit/fit.ts";
import type { FitData } from "../../../trainer/fit/fit_data.ts";
import {
  type CrossEntropyPlan,
  type EpochProgress,
  type FitOptions,
  type HeadPlan,
  presetOptions,
} from "../../../trainer/fit/fit_options.ts";
import { noise, prompts, range, separable, SIZE } from "./planted_data.ts";

const QUICK: FitOptions = {
  hidden: 16,
  learningRate: 5e-3,
  inputDropout: 0,
  batchSize: 32,
  maxEpochs: 60,
  patience: 10,
};
const SOFTMAX: CrossEntropyPlan = { kind: "cross-entropy" };
const SIGMOID: HeadPlan = { kind: "cross-entropy", output: "sigmoid" };
const CONTRASTIVE: HeadPlan = { kind: "contrastive", prompts: prompts(3, 12, 1) };
const ADAPTER: HeadPlan = { kind: "contrastive", prompts: prompts(3, SIZE, 2), blend: 0.6 };

/** What the served head says of an example. */
function logitsOf(head: Head, plan: HeadPlan, { embeddings, size }: FitData, row: number) {
  const embedding = embeddings.subarray(row * size, (row + 1) * size);
  if (head.kind === "cross-entropy") return crossEntropyLogits(head, embedding);
  assert.ok(plan.kind === "contrastive");
  return contrastiveLogits(head, embedding, plan.prompts);
}

function accuracyOf(head: Head, plan: HeadPlan, data: FitData, rows: readonly number[]): number {
  const right = rows.filter((row) => {
    const logits = logitsOf(head, plan, data, row);
    return logits.indexOf(Math.max(...logits)) === data.targets[row];
  });
  return right.length / rows.length;
}

/** Mean cross entropy of the served head. */
function lossOf(
  head: Head,
  plan: HeadPlan,
  data: FitData,
  rows: readonly number[],
  temperature = 1,
) {
  const losses = rows.map((row) =>
    -Math.log(softmax(logitsOf(head, plan, data, row), temperature)[data.targets[row]])
  );
  return losses.reduce((sum, loss) => sum + loss, 0) / rows.length;
}

/** Fits with the first quarter held back for validation. */
function quickly(data: FitData, plan: HeadPlan = SOFTMAX, options: FitOptions = {}) {
  const count = data.targets.length;
  const validation = Math.floor(count / 4);
  return fit(data, range(validation, count), range(0, validation), plan, { ...QUICK, ...options });
}

async function assertTrainerError(work: Promise<unknown>, ...words: RegExp[]) {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof TrainerError, String(error));
    for (const word of words) assert.match(error.message, word);
    return true;
  });
}

Deno.test("fit() learns a planted rule with every head, and says it of unseen examples", async () => {
  for (
    const [name, plan, classes, options] of [
      ["softmax", SOFTMAX, 3, {}],
      ["softmax, unit input", SOFTMAX, 3, { input: "unit" }],
      ["softmax, the paper's way", SOFTMAX, 3, { preset: "paper", learningRate: 0.01 }],
      ["sigmoid", SIGMOID, 2, {}],
      ["contrastive", CONTRASTIVE, 3, {}],
      ["contrastive, unit input", CONTRASTIVE, 3, { input: "unit" }],
      ["adapter", ADAPTER, 3, {}],
      ["adapter, unit input", ADAPTER, 3, { input: "unit" }],
    ] as const
  ) {
    const data = separable(700, 21, classes);
    const { head, history, bestEpoch } = await fit(
      data,
      range(0, 500),
      range(500, 600),
      plan,
      { ...QUICK, batchSize: 64, hidden: 32, maxEpochs: 30, learningRate: 0.01, ...options },
    );
    const unseen = accuracyOf(head, plan, data, range(600, 700));
    assert.ok(
      unseen >= (plan === ADAPTER ? 0.85 : 0.93),
      `${name}: ${unseen} of the unseen are right`,
    );
    // The history is of the head as it is served: on raw embeddings, whatever it was trained on.
    const best = history[bestEpoch - 1];
    const validation = range(500, 600);
    assert.equal(best.validationAccuracy, accuracyOf(head, plan, data, validation), name);
    if (plan !== CONTRASTIVE) {
      const loss = lossOf(head, plan, data, validation, plan === ADAPTER ? 0.01 : 1);
      assert.ok(Math.abs(loss - best.validationLoss) < 1e-4 * (1 + loss), `${name}: ${loss}`);
    }
    assert.equal(head.input, "input" in options ? "unit" : undefined, name);
  }
});

Deno.test("fit() makes heads of the layers and sizes that were asked for", async () => {
  const once = { maxEpochs: 1 };
  const of = async (data: FitData, plan: HeadPlan) => (await quickly(data, plan, once)).head;
  const shape = ({ inputs, units, kernel, bias }: CrossEntropyHead["preds"]) => {
    assert.equal(kernel.length, inputs * units);
    assert.equal(bias.length, units);
    return [inputs, units];
  };
  const three = await of(separable(80, 3), SOFTMAX);
  assert.ok(three.kind === "cross-entropy");
  assert.deepEqual([shape(three.img_fc1), shape(three.preds)], [[SIZE, 16], [16, 3]]);
  const one = await of(separable(80, 3, 2), SIGMOID);
  assert.ok(one.kind === "cross-entropy");
  assert.deepEqual(shape(one.preds), [16, 1]);
  const contrastive = await of(separable(80, 3), CONTRASTIVE);
  assert.ok(contrastive.kind === "contrastive");
  assert.deepEqual([shape(contrastive.img_fc1), shape(contrastive.img_fc2)], [[SIZE, 16], [
    16,
    12,
  ]]);
  assert.ok(!("blend" in contrastive) && !("input" in contrastive), "it is the published head");
  const adapter = await of(separable(80, 3), ADAPTER);
  assert.ok(adapter.kind === "contrastive");
  assert.equal(adapter.blend, 0.6);
});

Deno.test("fit() keeps the weights of the best epoch and stops when patience ends", async () => {
  const data = noise(160, 22);
  const epochs: EpochProgress[] = [];
  const { head, history, bestEpoch } = await quickly(data, SOFTMAX, {
    patience: 4,
    onEpoch: (epoch) => epochs.push(epoch),
  });
  const losses = history.map(({ validationLoss }) => validationLoss);
  const least = Math.min(...losses);
  assert.equal(losses.indexOf(least), bestEpoch - 1);
  assert.equal(history.length, bestEpoch + 4);
  assert.ok(history.length < 60, "it did not stop early");
  const loss = lossOf(head, SOFTMAX, data, range(0, 40));
  assert.ok(Math.abs(loss - least) < 1e-5, `${loss} is not ${least}`);
  assert.deepEqual(epochs, history.map((epoch) => ({ ...epoch, maxEpochs: 60 })));
  assert.deepEqual(history.map(({ epoch }) => epoch), range(1, history.length + 1));
});

Deno.test("fit() can stop on accuracy, and takes the lower loss among equals", async () => {
  const { history, bestEpoch } = await quickly(separable(160, 22), SOFTMAX, {
    stopOn: "accuracy",
    maxEpochs: 40,
    patience: 40,
  });
  const most = Math.max(...history.map(({ validationAccuracy }) => validationAccuracy));
  const equals = history.filter(({ validationAccuracy }) => validationAccuracy === most);
  const [best] = equals.toSorted((a, b) => a.validationLoss - b.validationLoss);
  assert.equal(bestEpoch, best.epoch);
  assert.ok(equals[0].epoch < bestEpoch, "the first of the equals is the best: nothing is shown");
});

Deno.test("fit() measures more validation examples than fit one batch, and fewer", async () => {
  const data = noise(2400, 24);
  for (const plan of [SOFTMAX, CONTRASTIVE, ADAPTER]) {
    for (const validation of [range(40, 2400), range(40, 61)]) {
      const { head, history, bestEpoch } = await fit(data, range(0, 40), validation, plan, {
        ...QUICK,
        maxEpochs: 2,
      });
      const { validationAccuracy } = history[bestEpoch - 1];
      assert.equal(validationAccuracy, accuracyOf(head, plan, data, validation));
    }
  }
});

Deno.test("fit() gives the same bits for a seed, other weights for another", async () => {
  const data = separable(120, 25);
  for (const plan of [SOFTMAX, CONTRASTIVE, ADAPTER]) {
    const options = { maxEpochs: 4, inputDropout: 0.3, batchSize: 16 };
    const one = await quickly(data, plan, { ...options, seed: 5 });
    assert.deepEqual(await quickly(data, plan, { ...options, seed: 5 }), one);
    const other = await quickly(data, plan, { ...options, seed: 6 });
    assert.notDeepEqual(other.head.img_fc1.kernel, one.head.img_fc1.kernel);
  }
});

Deno.test("fit() looks at no example but those for training and validation", async () => {
  const data = separable(120, 26);
  const options = { ...QUICK, maxEpochs: 3, inputDropout: 0.2, classWeights: "balanced" } as const;
  const fitted = (some: FitData) => fit(some, range(0, 60), range(60, 80), SOFTMAX, options);
  const expected = await fitted(data);
  const embeddings = data.embeddings.slice().fill(NaN, 80 * SIZE);
  const targets = data.targets.slice().fill(-1, 80);
  assert.deepEqual(await fitted({ ...data, embeddings, targets }), expected);
});

Deno.test("fit() learns nothing of the validation examples but when to stop", async () => {
  const data = noise(120, 27);
  const swapped = {
    ...data,
    embeddings: data.embeddings.map((v, i) => i < 30 * SIZE ? 9 - v : v),
    targets: data.targets.map((t, i) => i < 30 ? (t + 1) % 3 : t),
  };
  for (const plan of [SOFTMAX, CONTRASTIVE, ADAPTER]) {
    const [one, other] = [
      await quickly(data, plan, { maxEpochs: 1 }),
      await quickly(swapped, plan, { maxEpochs: 1 }),
    ];
    assert.deepEqual(other.head, one.head);
    assert.notEqual(other.history[0].validationLoss, one.history[0].validationLoss);
  }
});

Deno.test("fit() takes no notice of an embedding's length where the input is unit", async () => {
  const data = separable(120, 28);
  // Powers of two change no digit of a direction.
  const embeddings = data.embeddings.map((v, i) => v * 2 ** (Math.floor(i / SIZE) % 5 - 2));
  const options = { maxEpochs: 3, input: "unit" } as const;
  const [one, other] = [
    await quickly(data, SOFTMAX, options),
    await quickly({ ...data, embeddings }, SOFTMAX, options),
  ];
  assert.deepEqual(other, one);
  assert.equal(one.head.input, "unit");
});

/** Embeddings that do not vary: only how common a label is can be learnt. */
function unequal(): FitData {
  const count = 200;
  return {
    embeddings: new Float32Array(count * 2).fill(0.5),
    size: 2,
    targets: Int32Array.from({ length: count }, (_, i) => i % 10 === 0 ? 1 : 0),
    classes: 3, // the last never occurs
  };
}

async function scoresOf(options: FitOptions): Promise<Float64Array> {
  const data = unequal();
  const { head, history } = await fit(data, range(0, 100), range(100, 200), SOFTMAX, {
    ...QUICK,
    hidden: 4,
    learningRate: 0.05,
    batchSize: 100,
    maxEpochs: 300,
    patience: 300,
    ...options,
  });
  // Before the first step, where it is log K for each: weights are 1 on average.
  assert.ok(Math.abs(history[0].trainLoss - Math.log(3)) < 1e-5, `${history[0].trainLoss}`);
  return softmax(logitsOf(head, SOFTMAX, data, 0));
}

Deno.test("fit() lets labels count by their examples, or all the same, and smooths them", async () => {
  for (
    const [options, expected] of [
      [{}, [0.9, 0.1, 0]],
      [{ classWeights: "balanced" }, [0.5, 0.5, 0]],
      [{ labelSmoothing: 0.3 }, [0.7 * 0.9 + 0.1, 0.7 * 0.1 + 0.1, 0.1]],
    ] as const
  ) {
    const actual = await scoresOf(options);
    for (const [k, score] of actual.entries()) {
      assert.ok(Math.abs(score - expected[k]) < 0.02, `${JSON.stringify(options)}: ${actual}`);
    }
  }
});

Deno.test("fit() validates with the weights and the smoothing that it trains with", async () => {
  const data = unequal();
  const { head, history, bestEpoch } = await fit(data, range(0, 100), range(100, 200), SOFTMAX, {
    ...QUICK,
    maxEpochs: 5,
    classWeights: "balanced",
    labelSmoothing: 0.3,
  });
  const losses = [...softmax(crossEntropyLogits(head, [0.5, 0.5]))].map((score) =>
    -Math.log(score)
  );
  const smooth = (label: number) => 0.7 * losses[label] + losses.reduce((a, b) => a + b) / 10;
  // 90 examples of the first label and 10 of the second, each label with half of the weight
  const expected = (smooth(0) + smooth(1)) / 2;
  const { validationLoss } = history[bestEpoch - 1];
  assert.ok(Math.abs(validationLoss - expected) < 1e-5, `${validationLoss} is not ${expected}`);
});

Deno.test("fit() learns less by heart the more inputs it does not see", async () => {
  const losses: number[] = [];
  for (const inputDropout of [0, 0.5, 0.9]) {
    const options = { inputDropout, hidden: 64, patience: 60 };
    const { history } = await quickly(noise(60, 35), SOFTMAX, options);
    losses.push(history[history.length - 1].trainLoss);
  }
  assert.ok(losses[0] < 0.3, `${losses}`);
  assert.ok(losses[1] > losses[0] + 0.2, `${losses}`);
  assert.ok(losses[2] > losses[1] + 0.1, `${losses}`);
});

Deno.test("fit() gives a head that gives finite logits far from what it was fitted to", async () => {
  const data = separable(80, 34);
  for (const plan of [SOFTMAX, CONTRASTIVE, ADAPTER]) {
    const { head } = await quickly(data, plan, { maxEpochs: 2 });
    for (const scale of [0, 1e6, -1e6]) {
      const embeddings = new Float32Array(SIZE).fill(scale);
      const logits = logitsOf(head, plan, { ...data, embeddings }, 0);
      assert.ok(logits.every(Number.isFinite), `${plan.kind} at ${scale}: ${logits}`);
    }
  }
});

Deno.test("fit() lets the inputs that are seen grow to make up for the others", async () => {
  // One input of -1 or 1; its sign is the label of 4 in 5, of which the logits' difference is ±log 4. With
  // half of the inputs unseen, that is learnt at ±2, and in between there is half of it at ±1.
  const embeddings = Float32Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? -1 : 1);
  const targets = Int32Array.from(embeddings, (x, i) => (x > 0) === (i % 5 !== 0) ? 1 : 0);
  const data: FitData = { embeddings, size: 1, targets, classes: 2 };
  const gap = async (inputDropout: number) => {
    const options = { ...QUICK, inputDropout, maxEpochs: 60, patience: 60 };
    const { head } = await fit(data, range(0, 200), range(0, 200), SOFTMAX, options);
    const [zero, one] = crossEntropyLogits(head, [1]);
    return (one - zero) / Math.log(4);
  };
  const [whole, half] = [await gap(0), await gap(0.5)];
  assert.ok(Math.abs(whole - 1) < 0.1, `${whole}`);
  assert.ok(half > 0.3 && half < 0.75, `${half}`);
});

Deno.test("fit() takes steps by the schedule", async () => {
  // Adam's first step moves each weight by the learning rate, whatever the gradient.
  const data = separable(40, 33);
  const moved = async (options: FitOptions) => {
    const { head } = await fit(data, range(0, 20), range(20, 40), SOFTMAX, {
      ...QUICK,
      weightDecay: 0,
      batchSize: 20,
      maxEpochs: 1,
      ...options,
    });
    return Math.max(...head.preds.bias.map(Math.abs));
  };
  assert.ok(Math.abs(await moved({}) - 5e-3) < 1e-7);
  assert.ok(Math.abs(await moved({ learningRate: 1e-3 }) - 1e-3) < 1e-7);
  // With a step an epoch, at 1/2 and at 1: the second goes nearly the same way.
  const two = await moved({ maxEpochs: 2, warmUp: 0.999 });
  assert.ok(two > 7.2e-3 && two < 7.6e-3, `${two}`);
  const constant = await moved({ maxEpochs: 2 });
  assert.ok(constant > 9.6e-3, `${constant}: the steps above cannot be told from these`);
});

Deno.test("presetOptions() are the paper's, and the defaults for small data", async () => {
  const paper = presetOptions("paper", CONTRASTIVE, 268_000, 512);
  assert.deepEqual(
    [paper.batchSize, paper.weightDecay, paper.inputDropout, paper.standardize, paper.learningRate],
    [512, 0, 0, false, 1e-3],
  );
  assert.deepEqual([paper.stopOn, paper.input, paper.initial], ["accuracy", "raw", "glorot"]);
  for (
    const [examples, size, batchSize, inputDropout] of [
      [1000, 8, 128, 8 / 1008],
      [40, 8, 32, 8 / 48],
      [4, 64, 32, 0.8], // the nearest power of two is 1, and the least 32
    ]
  ) {
    const small = presetOptions("small", SOFTMAX, examples, size);
    assert.deepEqual([small.batchSize, small.inputDropout], [batchSize, inputDropout]);
    assert.deepEqual([small.learningRate, small.weightDecay, small.stopOn], [3e-4, 0.01, "loss"]);
  }
  assert.equal(presetOptions("small", ADAPTER, 100, 8).stopOn, "loss");
  const data = separable(80, 34);
  const given = { maxEpochs: 1, hidden: 16 };
  const explicit = { ...presetOptions("small", SOFTMAX, 60, SIZE), ...given };
  const fitted = (options: FitOptions) => fit(data, range(0, 60), range(60, 80), SOFTMAX, options);
  assert.deepEqual(await fitted(given), await fitted(explicit));
});

Deno.test("fit() names the example whose embedding is not finite", async () => {
  for (const stray of [NaN, Infinity, -Infinity]) {
    for (const row of [5, 50]) { // of validation, of training
      const data = separable(80, 28);
      data.embeddings[row * SIZE + 3] = stray;
      await assertTrainerError(
        quickly(data),
        new RegExp(`the embedding of example ${row}: its number 3 is ${stray}`),
        /Check the encoder, or leave the picture out/,
      );
    }
  }
});

Deno.test("fit() says how to mend a loss that is not finite", async () => {
  for (const plan of [SOFTMAX, CONTRASTIVE, ADAPTER]) {
    await assertTrainerError(
      quickly(separable(80, 29), plan, { learningRate: 1e38 }),
      /the loss became (NaN|-?Infinity)/,
      /Give a lower learning rate/,
    );
  }
});

Deno.test("fit() throws the reason of its signal, before, during and by a timer", async () => {
  const data = separable(80, 30);
  const reason = new Error("enough");
  const isReason = (e: unknown) => e === reason;
  await assert.rejects(quickly(data, SOFTMAX, { signal: AbortSignal.abort(reason) }), isReason);
  const controller = new AbortController();
  const seen: number[] = [];
  const work = quickly(data, CONTRASTIVE, {
    signal: controller.signal,
    onEpoch: ({ epoch }) => {
      seen.push(epoch);
      if (epoch === 2) controller.abort(reason);
    },
  });
  await assert.rejects(work, isReason);
  assert.deepEqual(seen, [1, 2]);
  const timed = new AbortController();
  const timer = setTimeout(() => timed.abort(reason), 10);
  const endless = { signal: timed.signal, maxEpochs: 5000, patience: 5000 };
  await assert.rejects(quickly(noise(400, 31), SOFTMAX, endless), isReason);
  clearTimeout(timer);
});

Deno.test("fit() refuses arguments out of their ranges before it starts", async () => {
  const data = separable(40, 32);
  const refuses = (work: Promise<unknown>, words: RegExp) =>
    assert.rejects(work, (error) => {
      assert.ok(error instanceof RangeError, String(error));
      assert.match(error.message, words);
      return true;
    });
  const wrong: FitOptions[] = [
    ...[0, -1, 1.5, NaN].flatMap((n) => [
      { hidden: n },
      { batchSize: n },
      { maxEpochs: n },
      { patience: n },
    ]),
    ...[0, -1, NaN, Infinity].map((learningRate) => ({ learningRate })),
    ...[-1, NaN, Infinity].map((weightDecay) => ({ weightDecay })),
    ...[-0.1, 1, NaN].flatMap((n) => [{ inputDropout: n }, { labelSmoothing: n }, { warmUp: n }]),
    ...[-1, 0.5, 2 ** 32].map((seed) => ({ seed })),
  ];
  for (const options of wrong) {
    const [name] = Object.keys(options);
    await refuses(quickly(data, SOFTMAX, options), new RegExp(`fit a head with ${name} `));
  }
  await refuses(quickly(data, CONTRASTIVE, { labelSmoothing: 0.1 }), /no targets to smooth/);
  await refuses(quickly(data, CONTRASTIVE, { classWeights: "balanced" }), /with classWeights/);
  await refuses(quickly(data, SIGMOID), /3 labels apart with one sigmoid/);
  await refuses(quickly(data, { ...CONTRASTIVE, prompts: prompts(4, 12, 1) }), /with 4 prompts/);
  await refuses(quickly(data, { ...CONTRASTIVE, temperature: 0 }), /at temperature 0/);
  await refuses(quickly(data, { ...ADAPTER, blend: 0 }), /with blend 0/);
  await refuses(
    quickly(data, { ...CONTRASTIVE, blend: 0.5 }),
    /of 8 numbers with projections of 12/,
  );

  const partly = (some: FitData, train: number[], validation: number[]) =>
    fit(some, train, validation, SOFTMAX, QUICK);
  await refuses(partly({ ...data, size: 7 }, [0], [1]), /40 examples of 7 numbers do not make 320/);
  await refuses(partly({ ...data, classes: 1 }, [0], [1]), /to 1 labels: give 2 or more/);
  await refuses(partly(data, [], [1]), /no example is for train/);
  await refuses(partly(data, [0], []), /no example is for validation/);
  const checkpoint = { path: "unused.json", everyEpochs: 0 };
  await refuses(quickly(data, SOFTMAX, { checkpoint }), /a checkpoint every 0 epochs/);
  await refuses(partly(data, [0], [40]), /example 40 of validation does not exist/);
  data.targets[3] = 3;
  await refuses(partly(data, [3], [1]), /to 3 labels: example 3 has label 3/);
});

Deno.test("fit() leaves nothing on the device, also when it fails", async () => {
  // The device's memory is not to be seen from outside, but that it grows is.
  const memory = WebAssembly.Memory.prototype;
  const { grow } = memory;
  let pages = 0;
  memory.grow = function (delta) {
    pages += delta;
    return grow.call(this, delta);
  };
  try {
    const data = separable(200, 37);
    const work = async (plan: HeadPlan) => {
      const options = { hidden: 512, maxEpochs: 2 };
      await quickly(data, plan, options);
      await quickly(data, plan, { ...options, learningRate: 1e38 }).catch(() => {});
    };
    for (const plan of [SOFTMAX, CONTRASTIVE, ADAPTER]) {
      for (let i = 0; i < 2; i++) await work(plan);
      pages = 0;
      for (let i = 0; i < 5; i++) await work(plan);
      assert.equal(pages, 0, `${plan.kind} grew by ${pages} pages`);
    }
  } finally {
    memory.grow = grow;
  }
});
