/**
 * Whether a figure is honest is tested on labels that are pure chance: who knows a picture's group knows its label, who does
 * not can only guess. And by what must not change: a head that has not seen a picture gives the same bits whatever is in it.
 */

import assert from "node:assert/strict";
import type { Example } from "../../../trainer/data/dataset.ts";
import { evaluate } from "../../../trainer/evaluation/evaluate.ts";
import { fitPlan, type FitPlanOptions } from "../../../trainer/experiment/fit_plan.ts";
import { chooseProtocol, type ProtocolOptions } from "../../../trainer/experiment/protocol.ts";
import { listRows } from "../../../trainer/experiment/rows.ts";
import {
  type Embedded,
  runExperiment,
  scoreServed,
} from "../../../trainer/experiment/run_experiment.ts";
import type { Task } from "../../../trainer/experiment/tasks.ts";
import { Random } from "../../../trainer/random.ts";
import { seededRandom } from "../../random.ts";

const SIZE = 32;
const LABELS = ["calm", "wild"];
const TASK: Task = {
  taxonomy: { id: "mood", title: "Mood", labels: LABELS.map((id) => ({ id, title: id })) },
  labelOf: new Map(LABELS.map((label) => [label, label])),
};
const QUICK: FitPlanOptions = {
  hidden: 24,
  balance: false,
  smoothing: 0,
  learningRate: 1e-2,
  maxEpochs: 5,
  inputDropout: 0,
};
/** Fits that can learn 280 pictures by heart. */
const THOROUGH: FitPlanOptions = { ...QUICK, hidden: 64, maxEpochs: 50, patience: 50 };

/** Groups of four pictures that look alike and share a label drawn by lot. */
function lots(groups: number, seed: number): Embedded {
  const random = seededRandom(seed);
  const rows: number[] = [];
  const examples = Array.from({ length: groups }, (_, g) => {
    const centre = random.floats(SIZE);
    const label = random.pick(LABELS);
    return Array.from({ length: 4 }, (_, n): Example => {
      rows.push(...random.floats(SIZE).map((v, d) => centre[d] + 0.02 * v));
      const read = () => Promise.reject(new Error("never read"));
      return { name: `${g}-${n}.png`, label, group: `group ${g}`, read };
    });
  }).flat();
  return { examples, embeddings: Float32Array.from(rows), size: SIZE };
}

/** The same pictures, with one of another embedding. */
function changed(data: Embedded, picture: number): Embedded {
  const embeddings = data.embeddings.map((v, i) => Math.floor(i / SIZE) === picture ? -v - 1 : v);
  return { ...data, embeddings };
}

/** One row's outcome, and each picture's scores by a head that had not seen it. */
async function outcomeOf(
  data: Embedded,
  protocol: Partial<ProtocolOptions>,
  options: FitPlanOptions = QUICK,
  seed = 3,
) {
  const random = new Random(seed);
  const wanted = { test: 0.2, validation: 0, ...protocol };
  const { rows: [outcome] } = await runExperiment(
    data,
    listRows([TASK], SIZE, false),
    chooseProtocol(data.examples, wanted, random),
    { seeds: [seed], members: 2, random, fit: (plan) => fitPlan(data, plan, options) },
  );
  const { indices, scores, targets } = outcome.measured;
  return { ...outcome, heldOut: new Map(indices.map((i, n) => [i, scores[n]])), scores, targets };
}

Deno.test("runExperiment() with folds guesses where labels are drawn by lot", async () => {
  const { scores, targets } = await outcomeOf(lots(70, 41), { folds: 4 }, THOROUGH);
  const { count, accuracy } = evaluate(scores, targets, 2);
  assert.equal(count, 280);
  // Three standard deviations over 70 groups.
  assert.ok(Math.abs(accuracy - 0.5) < 0.18, `accuracy ${accuracy}`);
  // Calibrated on pictures that members had not seen, it knows that it guesses.
  const confidence = scores.reduce((sum, score) => sum + Math.max(...score), 0) / scores.length;
  assert.ok(confidence < 0.7, `confidence ${confidence}`);
});

Deno.test("runExperiment() with folds knows the labels where groups are not told of", async () => {
  // What the test before would come to if groups were divided.
  const data = lots(70, 41);
  const examples = data.examples.map((example) => ({ ...example, group: example.name }));
  const { scores, targets } = await outcomeOf({ ...data, examples }, { folds: 4 }, THOROUGH);
  const { accuracy } = evaluate(scores, targets, 2);
  assert.ok(accuracy > 0.8, `accuracy ${accuracy}`);
});

Deno.test("runExperiment() with folds scores a picture by a head that has not seen its group", async () => {
  const data = lots(12, 42);
  const before = await outcomeOf(data, { folds: 3 });
  for (const picture of [0, 17, 47]) {
    const after = await outcomeOf(changed(data, picture), { folds: 3 });
    const moved = [...before.heldOut].flatMap(([i, score]) =>
      i !== picture && after.heldOut.get(i)?.[0] !== score[0] ? [data.examples[i]] : []
    );
    const { group } = data.examples[picture];
    assert.ok(moved.every((example) => example.group !== group), `${group} was seen`);
    assert.ok(moved.length >= 20, `only ${moved.length} pictures are scored by what was learnt`);
    assert.notDeepEqual(after.served.head, before.served.head, "it is fitted to all pictures");
  }
});

Deno.test("runExperiment() without folds serves the head that it measured, which has not seen the test part", async () => {
  const data = lots(20, 44);
  const { row, served, heldOut } = await outcomeOf(data, { test: 0.25 });
  assert.equal(heldOut.size, 20);
  for (const [i, score] of heldOut) {
    const embedding = data.embeddings.subarray(i * SIZE, (i + 1) * SIZE);
    const whole = scoreServed(row, served, embedding);
    assert.ok(whole.every((v, k) => Math.abs(v - score[k]) < 1e-5), `${whole} is not ${score}`);
  }
  const [[test]] = heldOut;
  const unseen = await outcomeOf(changed(data, test), { test: 0.25 });
  assert.deepEqual(unseen.served, served);
  const seen = [...data.examples.keys()].find((i) => !heldOut.has(i)) ?? -1;
  const other = await outcomeOf(changed(data, seen), { test: 0.25 });
  assert.notDeepEqual(other.served.head, served.head);
});

Deno.test("runExperiment() gives the same bits for a seed, another head for another", async () => {
  const data = lots(10, 47);
  const one = await outcomeOf(data, {});
  const { served, scores } = await outcomeOf(data, {});
  assert.deepEqual([served, scores], [one.served, one.scores]);
  const other = await outcomeOf(data, {}, QUICK, 4);
  assert.notDeepEqual(other.served.head, one.served.head);
});
