import assert from "node:assert/strict";
import type { Example } from "../../../trainer/data/dataset.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { fitCommittee } from "../../../trainer/experiment/committee.ts";
import { chooseProtocol, type ProtocolOptions } from "../../../trainer/experiment/protocol.ts";
import { listRows, traineesOf } from "../../../trainer/experiment/rows.ts";
import { type FitPlan, runExperiment } from "../../../trainer/experiment/run_experiment.ts";
import { chooseServed } from "../../../trainer/experiment/serve_best.ts";
import { taskTargets } from "../../../trainer/experiment/tasks.ts";
import { Random } from "../../../trainer/random.ts";
import { fitMeans, makeData, makeTasks, SIZE } from "./synthetic.ts";

/** Rows whose heads can be fitted in closed form. */
function simpleRows(withPrompts = true) {
  return listRows(makeTasks(withPrompts), SIZE, true)
    .filter(({ trainee }) =>
      !trainee || (trainee.kind === "cross-entropy" && trainee.input === "raw")
    );
}

Deno.test("listRows() has the paper's three methods plain, and what goes beyond beside them", () => {
  const tasks = makeTasks();
  const names = (withVariants: boolean, size = SIZE) =>
    Object.fromEntries(tasks.map((task) => [
      task.taxonomy.id,
      listRows(tasks, size, withVariants).filter((row) => row.task === task).map(({ name }) =>
        name
      ),
    ]));
  const plain = ["zero-shot", "cross-entropy", "contrastive"];
  assert.deepEqual(names(false), { fine: plain, polarity: plain });
  assert.deepEqual(names(true), {
    fine: [
      ...["zero-shot", "cross-entropy", "cross-entropy, unit input"],
      ...["contrastive", "contrastive, unit input", "contrastive, residual adapter"],
    ],
    polarity: [
      ...["zero-shot", "cross-entropy", "cross-entropy, unit input"],
      "cross-entropy, summed from fine",
      ...["contrastive", "contrastive, unit input", "contrastive, residual adapter"],
    ],
  });
  assert.deepEqual(names(false, SIZE + 1).fine, ["cross-entropy", "contrastive"], "another space");
  const rows = listRows(tasks, SIZE, true);
  assert.deepEqual(traineesOf(rows).map(({ id }) => id), [
    "cross-entropy-fine",
    "cross-entropy-unit-fine",
    "contrastive-fine",
    "contrastive-unit-fine",
    "adapter-unit-fine",
    "cross-entropy-polarity",
    "cross-entropy-unit-polarity",
  ]);
  const summed = rows.find(({ groups }) => groups);
  assert.deepEqual([...summed?.groups ?? []], [1, 1, 0, 0]);
});

Deno.test("listRows() sums no finer labels that belong to several coarse ones", () => {
  const [fine, coarse] = makeTasks(false);
  const merged = {
    ...fine,
    labelOf: new Map([["joy", "joy"], ["fear", "joy"], ["love", "love"], ["rage", "rage"]]),
  };
  assert.ok(!listRows([merged, coarse], SIZE, true).some(({ groups }) => groups));
});

Deno.test("chooseProtocol() never lets a group, or a test picture, on both sides", () => {
  const { examples } = makeData(120);
  const isApart = (a: readonly number[], b: readonly number[]) => {
    const groups = new Set(a.map((i) => examples[i].group));
    return b.every((i) => !groups.has(examples[i].group));
  };
  for (const options of [{ folds: 4, test: 0.2, validation: 0 }, { test: 0.25, validation: 0.1 }]) {
    const { measured, served } = chooseProtocol(examples, options, new Random(3));
    for (const { train, validation = [], test } of measured) {
      assert.ok(isApart(train, test) && isApart(train, validation) && isApart(validation, test));
      assert.equal(train.length + validation.length + test.length, 120);
    }
    const tested = measured.flatMap(({ test }) => test);
    assert.equal(new Set(tested).size, tested.length);
    if (options.folds) assert.deepEqual([tested.length, served.train.length], [120, 120]);
    else assert.equal(measured[0], served);
  }
});

Deno.test("chooseProtocol() takes the data set's own parts", () => {
  const parts = ["train", "train", "test", "validation"] as const;
  const { examples } = makeData(24, { split: (i) => parts[Math.floor(i / 3) % 4] });
  const own = (split: string) => [...examples.keys()].filter((i) => examples[i].split === split);
  const { served, words } = chooseProtocol(examples, { test: 0.2, validation: 0.5 }, new Random(0));
  assert.deepEqual(served, {
    train: own("train"),
    validation: own("validation"),
    test: own("test"),
  });
  assert.equal(words, "its test split, 6 pictures");
  const alone = examples.map((one): Example => ({ ...one, split: "test" }));
  assert.throws(
    () => chooseProtocol(alone, { test: 0.2, validation: 0 }, new Random(0)),
    /test pictures alone/,
  );
});

Deno.test("chooseProtocol() says in words how it measures", () => {
  const { examples } = makeData(120);
  const wordsOf = (options: Partial<ProtocolOptions>) =>
    chooseProtocol(examples, { test: 0.2, validation: 0, ...options }, new Random(0)).words;
  assert.equal(wordsOf({ folds: 3 }), "3-fold cross-validation");
  assert.equal(wordsOf({}), "a test split of 24 pictures");
});

Deno.test("chooseProtocol() and fitCommittee() say in the user's words that there are too few groups", async () => {
  const { examples } = makeData(6); // 2 groups
  const isTooFew = (error: unknown) => {
    assert.ok(error instanceof TrainerError, String(error));
    assert.match(error.message, /^Cannot split the pictures: Cannot make \d parts: there (is|are)/);
    return true;
  };
  const options = { test: 0.2, validation: 0 };
  const choose = (some: readonly Example[], folds?: number) => () =>
    chooseProtocol(some, { ...options, folds }, new Random(0));
  assert.throws(choose(examples, 3), isTooFew);
  assert.throws(choose(examples.slice(0, 3)), isTooFew);
  // Of two folds, one group is left for two members.
  const [round] = choose(examples, 2)().measured;
  const fit = () => assert.fail("it was fitted");
  await assert.rejects(fitCommittee(examples, round, 2, new Random(0), fit), isTooFew);
});

Deno.test("taskTargets() has labels in the taxonomy's order, and -1 for those without a counterpart", () => {
  const [, coarse] = makeTasks(false);
  const labels = ["rage", "joy", "boredom", "love"];
  assert.deepEqual([...taskTargets(coarse, labels)], [0, 1, -1, 1]);
  const turned = { ...coarse.taxonomy, labels: coarse.taxonomy.labels.toReversed() };
  assert.deepEqual([...taskTargets({ ...coarse, taxonomy: turned }, labels)], [1, 0, -1, 0]);
});

Deno.test("runExperiment() measures each picture once, by a head that did not see it", async () => {
  const data = makeData(120);
  const rows = simpleRows();
  const random = new Random(5);
  const protocol = chooseProtocol(data.examples, { folds: 4, test: 0.2, validation: 0 }, random);
  const fit = fitMeans(data);
  const plans: FitPlan[] = [];
  const outcome = await runExperiment(data, rows, protocol, {
    seeds: [5, 6],
    members: 3,
    random,
    fit: (plan) => {
      plans.push(plan);
      assert.ok(!plan.train.some((i) => plan.validation.includes(i)), plan.name);
      return fit(plan);
    },
  });
  // 2 seeds, 2 trainees, 4 folds and the served ones, 3 members.
  assert.equal(plans.length, 2 * 2 * 5 * 3);
  assert.equal(new Set(plans.map(({ name }) => name)).size, plans.length);
  // Each head of a trainee starts from first weights of its own.
  const starts = plans.map(({ trainee, seed }) => `${trainee.id}, ${seed}`);
  assert.equal(new Set(starts).size, plans.length);
  for (const { row, measured, validationAccuracy, served } of outcome.rows) {
    const name = `${row.task.taxonomy.id}, ${row.name}`;
    assert.deepEqual([...measured.indices].sort((a, b) => a - b), [...data.examples.keys()], name);
    assert.deepEqual(
      measured.evaluations.map(({ count }) => count),
      row.trainee ? [120, 120] : [120],
      name,
    );
    assert.equal(measured.scores.length, 120, name);
    for (const score of measured.scores) {
      assert.ok(Math.abs(score.reduce((a, b) => a + b) - 1) < 1e-9, name);
    }
    assert.ok(validationAccuracy > 0.8, `${name}: ${validationAccuracy}`);
    assert.equal(served.bestEpochs.length, row.trainee ? 3 : 0, name);
  }
});

Deno.test("runExperiment() answers a coarse task with a finer head, its scores summed", async () => {
  const data = makeData(240, { noise: 0.5 });
  const random = new Random(0);
  const protocol = chooseProtocol(data.examples, { test: 0.3, validation: 0.2 }, random);
  const options = { seeds: [0], members: 1, random, fit: fitMeans(data) };
  const { rows } = await runExperiment(data, simpleRows(), protocol, options);
  const summed = rows.find(({ row }) => row.groups);
  const fine = rows.find(({ row }) => row.name === "cross-entropy" && !row.groups);
  assert.ok(summed && fine && fine.row.task.taxonomy.id === "fine");
  const { head } = summed.served;
  assert.ok(head?.kind === "cross-entropy" && head.groups?.length === 4);
  // Where the fine head is sure, the summed one agrees with it.
  const sure = fine.measured.scores.map((score, i) => [score, i] as const)
    .filter(([score]) => Math.max(...score) > 0.9);
  assert.ok(sure.length > 10);
  for (const [score, i] of sure) {
    const isPositive = score[0] + score[1] > 0.5;
    assert.equal(summed.measured.scores[i][1] > 0.5, isPositive);
  }
});

Deno.test("runExperiment() measures other data sets with the heads that are served", async () => {
  const data = makeData(120);
  const other = makeData(60, { seed: 9, noise: 0 });
  const [fine, coarse] = makeTasks();
  const random = new Random(0);
  const protocol = chooseProtocol(data.examples, { folds: 3, test: 0.2, validation: 0 }, random);
  const { rows } = await runExperiment(data, simpleRows(), protocol, {
    seeds: [0, 1],
    members: 2,
    random,
    fit: fitMeans(data),
    others: [{ name: "elsewhere", data: other, tasks: [coarse] }],
  });
  for (const { row, elsewhere } of rows) {
    if (row.task.taxonomy.id === fine.taxonomy.id) {
      assert.deepEqual(elsewhere, []);
      continue;
    }
    const [{ other: name, indices, targets, scores, evaluations }] = elsewhere;
    assert.deepEqual([name, indices.length, targets.length], ["elsewhere", 60, 60]);
    assert.deepEqual(
      evaluations.map(({ count }) => count),
      row.trainee ? [60, 60] : [60],
      row.name,
    );
    for (const [n, score] of scores.entries()) {
      assert.equal(score[1] > 0.5 ? 1 : 0, targets[n], `${row.name}, picture ${n}`);
    }
  }
});

Deno.test("chooseServed() serves a variant only where it is better on pictures held back", async () => {
  const data = makeData(120);
  const random = new Random(0);
  const protocol = chooseProtocol(data.examples, { test: 0.3, validation: 0.2 }, random);
  const options = { seeds: [0], members: 1, random, fit: fitMeans(data) };
  const { rows } = await runExperiment(data, simpleRows(), protocol, options);
  const task = makeTasks()[1];
  const inTask = rows.map((outcome) => ({ ...outcome, row: { ...outcome.row, task } }))
    .filter((_, i) => rows[i].row.task.taxonomy.id === "polarity");
  const served = (accuracies: Record<string, number>) =>
    chooseServed(
      inTask.map((outcome) => ({ ...outcome, validationAccuracy: accuracies[outcome.row.name] })),
      task,
    ).map(({ outcome: { row } }) => row.name);
  const summed = "cross-entropy, summed from fine";
  assert.deepEqual(
    served({ "zero-shot": 0.5, "cross-entropy": 0.8, [summed]: 0.8 }),
    ["cross-entropy", "zero-shot"],
  );
  assert.deepEqual(
    served({ "zero-shot": 0.9, "cross-entropy": 0.8, [summed]: 0.81 }),
    ["zero-shot", summed],
  );
});
