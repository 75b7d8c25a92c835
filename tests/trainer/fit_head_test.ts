/** Fits to planted data, where it is known what a head can learn and what it cannot. */

import { applyDense, type CrossEntropyHead, crossEntropyLogits, softmax } from "@clip-e/shared";
import assert from "node:assert/strict";
import { topLabel } from "../../trainer/calibration.ts";
import { TrainerError } from "../../trainer/errors.ts";
import {
  type EpochProgress,
  type FitData,
  fitHead,
  type FitOptions,
} from "../../trainer/fit_head.ts";
import { type Random, seededRandom } from "../random.ts";

const SIZE = 8;
const QUICK: FitOptions = {
  hidden: 16,
  learningRate: 5e-3,
  inputDropout: 0,
  maxEpochs: 60,
  patience: 10,
};

/** Features of unlike means and deviations, as encoders give them. */
function features(count: number, random: Random): Float32Array {
  return random.floats(count * SIZE).map((v, i) => 3 * (i % SIZE) + v * (1 + i % SIZE));
}

/** Three labels, told apart by linear functions of the embedding with room between them. */
function separable(count: number, seed: number): FitData {
  const random = seededRandom(seed);
  const teacher = random.floats(3 * SIZE);
  const rows: number[] = [];
  const targets: number[] = [];
  while (targets.length < count) {
    const row = features(1, random);
    const votes = [0, 1, 2].map((k) =>
      row.reduce((sum, x, d) => sum + teacher[k * SIZE + d] * (x - 3 * d) / (1 + d), 0)
    );
    const [first, second] = votes.toSorted((a, b) => b - a);
    if (first - second < 0.3) continue;
    rows.push(...row);
    targets.push(votes.indexOf(first));
  }
  return {
    embeddings: Float32Array.from(rows),
    size: SIZE,
    targets: Int32Array.from(targets),
    classes: 3,
  };
}

/** Labels that have nothing to do with the embeddings: what is learnt of them is learnt by heart. */
function noise(count: number, seed: number): FitData {
  const random = seededRandom(seed);
  return {
    embeddings: features(count, random),
    size: SIZE,
    targets: Int32Array.from({ length: count }, () => random.integer(0, 2)),
    classes: 3,
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function logitsOf(head: CrossEntropyHead, { embeddings, size }: FitData, row: number) {
  return crossEntropyLogits(head, embeddings.subarray(row * size, (row + 1) * size));
}

/** Mean cross entropy of the served head on raw embeddings. */
function lossOf(head: CrossEntropyHead, data: FitData, rows: readonly number[]): number {
  const losses = rows.map((row) =>
    -Math.log(softmax(logitsOf(head, data, row))[data.targets[row]])
  );
  return losses.reduce((sum, loss) => sum + loss, 0) / rows.length;
}

/** Fits with the first examples held back for validation. */
function fit(data: FitData, options: FitOptions = {}) {
  const count = data.targets.length;
  const validation = Math.floor(count / 4);
  return fitHead(data, range(validation, count), range(0, validation), { ...QUICK, ...options });
}

async function assertTrainerError(work: Promise<unknown>, ...words: RegExp[]) {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof TrainerError, String(error));
    for (const word of words) assert.match(error.message, word);
    return true;
  });
}

Deno.test("fitHead() learns a planted rule, and says it of examples that it has not seen", async () => {
  const data = separable(400, 21);
  const { head, history } = await fitHead(data, range(0, 200), range(200, 300), QUICK);
  const right = (rows: number[]) =>
    rows.filter((row) => topLabel(logitsOf(head, data, row)) === data.targets[row]).length;
  assert.equal(right(range(0, 200)), 200);
  assert.ok(right(range(300, 400)) >= 97, `${right(range(300, 400))} of 100 unseen are right`);
  assert.equal(head.img_fc1.inputs, SIZE);
  assert.equal(head.img_fc1.units, QUICK.hidden);
  assert.equal(head.preds.units, 3);
  // It starts without an opinion, so the first loss is near that of guessing.
  assert.ok(Math.abs(history[0].trainLoss - Math.log(3)) < 0.3, `${history[0].trainLoss}`);
});

Deno.test("fitHead() keeps the weights of the best epoch and stops when patience ends", async () => {
  const data = noise(160, 22);
  const epochs: EpochProgress[] = [];
  const { head, history, bestEpoch } = await fit(data, {
    patience: 4,
    onEpoch: (epoch) => epochs.push(epoch),
  });
  const losses = history.map(({ validationLoss }) => validationLoss);
  const least = Math.min(...losses);
  assert.equal(losses.indexOf(least), bestEpoch - 1);
  assert.equal(history.length, bestEpoch + 4);
  assert.ok(history.length < 60, "it did not stop early");
  assert.ok(losses[losses.length - 1] > least + 0.01, "the last epoch is as good as the best");
  // The weights take raw embeddings, so this holds only if the standardisation was folded in.
  const loss = lossOf(head, data, range(0, 40));
  assert.ok(Math.abs(loss - least) < 1e-5, `${loss} is not ${least}`);
  assert.deepEqual(epochs, history.map((epoch) => ({ ...epoch, maxEpochs: 60 })));
  assert.deepEqual(history.map(({ epoch }) => epoch), range(1, history.length + 1));
});

Deno.test("fitHead() ends after maxEpochs, and takes batches that the examples do not fill", async () => {
  const { history } = await fit(separable(71, 23), { maxEpochs: 3, batchSize: 32 });
  assert.equal(history.length, 3);
  const { history: one } = await fit(separable(20, 23), { maxEpochs: 1, batchSize: 1000 });
  assert.equal(one.length, 1);
});

Deno.test("fitHead() measures more validation examples than fit one batch", async () => {
  const data = noise(2400, 24);
  const validation = range(40, 2400); // 2360: a whole batch and a part
  const { head, history } = await fitHead(data, range(0, 40), validation, {
    ...QUICK,
    maxEpochs: 2,
  });
  const least = Math.min(...history.map(({ validationLoss }) => validationLoss));
  const loss = lossOf(head, data, validation);
  assert.ok(Math.abs(loss - least) < 1e-5, `${loss} is not ${least}`);
});

Deno.test("fitHead() gives the same bits for a seed, other weights for another", async () => {
  const data = separable(120, 25);
  const options = { maxEpochs: 4, inputDropout: 0.3, batchSize: 16 };
  const [one, same, other] = [
    await fit(data, { ...options, seed: 5 }),
    await fit(data, { ...options, seed: 5 }),
    await fit(data, { ...options, seed: 6 }),
  ];
  assert.deepEqual(same, one);
  for (const layer of ["img_fc1", "preds"] as const) {
    assert.notDeepEqual(other.head[layer].kernel, one.head[layer].kernel);
  }
});

Deno.test("fitHead() looks at no example but those for training and validation", async () => {
  const data = separable(120, 26);
  const parts = [range(0, 60), range(60, 80)] as const;
  const options = { ...QUICK, maxEpochs: 3, inputDropout: 0.2, classWeights: "balanced" } as const;
  const expected = await fitHead(data, ...parts, options);
  const embeddings = data.embeddings.slice().fill(NaN, 80 * SIZE);
  const targets = data.targets.slice().fill(-1, 80);
  assert.deepEqual(await fitHead({ ...data, embeddings, targets }, ...parts, options), expected);
});

Deno.test("fitHead() learns nothing of the validation examples but when to stop", async () => {
  const data = noise(120, 27);
  const swapped = {
    ...data,
    embeddings: data.embeddings.map((v, i) => i < 30 * SIZE ? 9 - v : v),
    targets: data.targets.map((t, i) => i < 30 ? (t + 1) % 3 : t),
  };
  const [one, other] = [await fit(data, { maxEpochs: 1 }), await fit(swapped, { maxEpochs: 1 })];
  assert.deepEqual(other.head, one.head);
  assert.notEqual(other.history[0].validationLoss, one.history[0].validationLoss);
});

Deno.test("fitHead() lets labels count by their examples, or all the same if balanced", async () => {
  // Embeddings that do not vary: only how common a label is can be learnt.
  const count = 200;
  const data: FitData = {
    embeddings: new Float32Array(count * 2).fill(0.5),
    size: 2,
    targets: Int32Array.from({ length: count }, (_, i) => i % 10 === 0 ? 1 : 0),
    classes: 3, // the last never occurs
  };
  const scores = async (classWeights: "balanced" | "none") => {
    const { head, history } = await fitHead(data, range(0, 100), range(100, 200), {
      ...QUICK,
      hidden: 4,
      learningRate: 0.05,
      batchSize: 100,
      maxEpochs: 300,
      patience: 300,
      classWeights,
    });
    // Before the first step, where it is log K for each: weights are 1 on average.
    assert.ok(Math.abs(history[0].trainLoss - Math.log(3)) < 1e-5, `${history[0].trainLoss}`);
    return softmax(logitsOf(head, data, 0));
  };
  for (const [kind, expected] of [["none", [0.9, 0.1, 0]], ["balanced", [0.5, 0.5, 0]]] as const) {
    const actual = await scores(kind);
    for (const [k, score] of actual.entries()) {
      assert.ok(Math.abs(score - expected[k]) < 0.02, `${kind}: ${actual}`);
    }
  }
});

Deno.test("fitHead() learns less by heart the more inputs it does not see", async () => {
  const losses = await Promise.all([0, 0.5, 0.9].map(async (inputDropout) => {
    const data = noise(60, 35);
    const { history } = await fit(data, { inputDropout, hidden: 64, patience: 60 });
    return history[history.length - 1].trainLoss;
  }));
  assert.ok(losses[0] < 0.3, `${losses}`);
  assert.ok(losses[1] > losses[0] + 0.2, `${losses}`);
  assert.ok(losses[2] > losses[1] + 0.1, `${losses}`);
});

Deno.test("fitHead() lets the inputs that are seen grow to make up for the others", async () => {
  // One input of -1 or 1; its sign is the label of 4 in 5, of which the logits' difference is ±log 4. With
  // half of the inputs unseen, that is learnt at ±2, and in between there is half of it at ±1.
  const embeddings = Float32Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? -1 : 1);
  const targets = Int32Array.from(embeddings, (x, i) => (x > 0) === (i % 5 !== 0) ? 1 : 0);
  const data: FitData = { embeddings, size: 1, targets, classes: 2 };
  const gap = async (inputDropout: number) => {
    const options = { ...QUICK, inputDropout, maxEpochs: 100, patience: 100 };
    const { head } = await fitHead(data, range(0, 200), range(0, 200), options);
    const [zero, one] = crossEntropyLogits(head, [1]);
    return (one - zero) / Math.log(4);
  };
  const [whole, half] = [await gap(0), await gap(0.5)];
  assert.ok(Math.abs(whole - 1) < 0.1, `${whole}`);
  assert.ok(half > 0.3 && half < 0.75, `${half}`);
});

Deno.test("fitHead() has the defaults that it documents, by the size of the data", async () => {
  const validation = range(0, 10);
  for (
    const [examples, size, batchSize, inputDropout] of [
      [1000, 8, 128, 8 / 1008],
      [40, 8, 32, 8 / 48],
      [4, 64, 4, 0.8], // the nearest power of two is 1, the least 32, and there are 4
    ]
  ) {
    const embeddings = seededRandom(36).floats((10 + examples) * size);
    const data = { ...noise(10 + examples, 36), embeddings, size };
    const train = range(10, 10 + examples);
    const expected = await fitHead(data, train, validation, {
      hidden: 512,
      learningRate: 3e-4,
      weightDecay: 0.01,
      batchSize,
      inputDropout,
      classWeights: "none",
      seed: 0,
      maxEpochs: 1,
    });
    assert.deepEqual(await fitHead(data, train, validation, { maxEpochs: 1 }), expected);
  }
});

Deno.test("fitHead() names the example whose embedding is not finite", async () => {
  for (const stray of [NaN, Infinity, -Infinity]) {
    for (const row of [5, 50]) { // of validation, of training
      const data = separable(80, 28);
      data.embeddings[row * SIZE + 3] = stray;
      await assertTrainerError(
        fit(data),
        new RegExp(`the embedding of example ${row}: its number 3 is ${stray}`),
        /Check the encoder, or leave the picture out/,
      );
    }
  }
});

Deno.test("fitHead() says how to mend a loss that is not finite", async () => {
  await assertTrainerError(
    fit(separable(80, 29), { learningRate: 1e30 }),
    /the loss became (NaN|-?Infinity) in epoch \d+, at learning rate 1e\+30/,
    /Give a lower one/,
  );
});

Deno.test("fitHead() throws the reason of its signal, before and during the work", async () => {
  const data = separable(80, 30);
  const reason = new Error("enough");
  await assert.rejects(fit(data, { signal: AbortSignal.abort(reason) }), (e) => e === reason);
  const controller = new AbortController();
  const seen: number[] = [];
  const work = fit(data, {
    signal: controller.signal,
    onEpoch: ({ epoch }) => {
      seen.push(epoch);
      if (epoch === 2) controller.abort(reason);
    },
  });
  await assert.rejects(work, (e) => e === reason);
  assert.deepEqual(seen, [1, 2]);
});

Deno.test("fitHead() lets a timer abort it", async () => {
  const reason = new Error("too long");
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(reason), 10);
  const endless = { signal: controller.signal, maxEpochs: 5000, patience: 5000 };
  await assert.rejects(fit(noise(400, 31), endless), (e) => e === reason);
  clearTimeout(timer);
});

Deno.test("fitHead() refuses arguments out of their ranges before it starts", async () => {
  const data = separable(40, 32);
  const refusesOption = async (options: FitOptions) => {
    const [name] = Object.keys(options);
    await assert.rejects(
      fit(data, options),
      (error) =>
        error instanceof RangeError && error.message.includes(`Cannot fit a head with ${name}`),
      name,
    );
  };
  for (const count of [0, -1, 1.5, NaN]) {
    await refusesOption({ hidden: count });
    await refusesOption({ batchSize: count });
    await refusesOption({ maxEpochs: count });
    await refusesOption({ patience: count });
  }
  for (const learningRate of [0, -1, NaN, Infinity]) await refusesOption({ learningRate });
  for (const weightDecay of [-1, NaN, Infinity]) await refusesOption({ weightDecay });
  for (const inputDropout of [-0.1, 1, NaN]) await refusesOption({ inputDropout });

  const refuses = (some: FitData, train: number[], validation: number[], words: RegExp) =>
    assert.rejects(
      fitHead(some, train, validation, QUICK),
      (error) => error instanceof RangeError && words.test(error.message),
      String(words),
    );
  await refuses({ ...data, size: 7 }, [0], [1], /40 examples of 7 numbers do not make 320/);
  await refuses({ ...data, classes: 1 }, [0], [1], /to 1 labels: give 2 or more/);
  await refuses(data, [], [1], /no example is for train/);
  await refuses(data, [0], [], /no example is for validation/);
  await refuses(data, [0], [40], /example 40 of validation does not exist/);
  data.targets[3] = 3;
  await refuses(data, [3], [1], /to 3 labels: example 3 has label 3/);
});

Deno.test("fitHead() leaves nothing on the device, also when it fails", async () => {
  // The device's memory is not to be seen from outside, but that it grows is.
  const memory = WebAssembly.Memory.prototype;
  const { grow } = memory;
  let pages = 0;
  memory.grow = function (delta) {
    pages += delta;
    return grow.call(this, delta);
  };
  try {
    // 8 KiB of first weights, and as many for telling 45 labels apart.
    const data = { ...noise(200, 33), classes: 45 };
    const options = { hidden: 256, maxEpochs: 2, batchSize: 37 };
    const attempt = async () => {
      await fit(data, options);
      const controller = new AbortController();
      const onEpoch = () => controller.abort(new Error("enough"));
      await assert.rejects(fit(data, { ...options, signal: controller.signal, onEpoch }));
      await assert.rejects(fit(data, { ...options, learningRate: 1e30 }), TrainerError);
    };
    await fit(data, { ...options, hidden: 2048, maxEpochs: 1 });
    assert.ok(pages > 0, "the device's memory is not seen to grow");
    for (let i = 0; i < 2; i++) await attempt();
    pages = 0;
    for (let i = 0; i < 6; i++) await attempt();
    assert.equal(pages, 0);
  } finally {
    memory.grow = grow;
  }
});

Deno.test("fitHead() gives a head that gives finite logits far from what it was fitted to", async () => {
  const { head } = await fit(separable(80, 34), { maxEpochs: 2 });
  for (const scale of [0, 1e6, -1e6]) {
    const x = new Float32Array(SIZE).fill(scale);
    assert.ok(crossEntropyLogits(head, x).every(Number.isFinite));
    assert.ok(applyDense(head.img_fc1, x).every(Number.isFinite));
  }
});
