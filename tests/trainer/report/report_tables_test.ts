import assert from "node:assert/strict";
import type { Experiment, TaskResult } from "../../../trainer/evaluation/experiment.ts";
import {
  comparisonTable,
  crossDatasetTables,
  figureTable,
  summaryTable,
} from "../../../trainer/report/report_tables.ts";
import { makeSyntheticExperiment } from "./synthetic_experiment.ts";

const experiment = makeSyntheticExperiment();
const [polarity, primary] = experiment.tasks;

/** The task with other accuracies, by row and seed, and one interval. */
function withAccuracies(task: TaskResult, accuracies: readonly (readonly number[])[]): TaskResult {
  const [{ evaluations: [evaluation] }] = task.measurements;
  return {
    ...task,
    measurements: accuracies.map((seeds, i) => ({
      row: ["zero-shot", "cross-entropy"][i],
      evaluations: seeds.map((accuracy) => ({ ...evaluation, accuracy })),
      intervals: i === 0 ? { accuracy: { low: 0.49, high: 0.512 } } : {},
      reliability: [],
    })),
  };
}

function withTasks(...tasks: TaskResult[]): Experiment {
  return { ...experiment, tasks };
}

Deno.test("summaryTable() gives mean, sample deviation and interval, and the best in bold", () => {
  const task = { ...withAccuracies(polarity, [[0.5], [0.7, 0.8, 0.9]]), served: "cross-entropy" };
  const { rows } = summaryTable(withTasks(task));
  assert.deepEqual(rows.map(({ header, isServed }) => [header, isServed]), [
    ["zero-shot", false],
    ["cross-entropy", true],
    ["always the commonest label", undefined],
  ]);
  const [[zeroShot], [head], [commonest]] = rows.map(({ cells }) => cells);
  assert.equal(zeroShot.text, "50.0");
  assert.equal(zeroShot.detail, "49.0–51.2");
  assert.equal(zeroShot.isBest, false);
  assert.equal(head.text, "80.0 ± 10.0");
  assert.equal(head.detail, undefined);
  assert.equal(head.isBest, true);
  assert.equal(
    commonest.text,
    (polarity.measurements[0].evaluations[0].majority * 100).toFixed(1),
  );
});

Deno.test("summaryTable() marks the served method in each column where columns differ", () => {
  const tasks = [
    { ...withAccuracies(polarity, [[0.5], [0.7]]), served: "cross-entropy" },
    { ...withAccuracies(primary, [[0.5], [0.4]]), served: "zero-shot" },
  ];
  const [zeroShot, head] = summaryTable(withTasks(...tasks)).rows;
  assert.deepEqual([zeroShot.isServed, head.isServed], [false, false]);
  assert.deepEqual(zeroShot.cells.map(({ isServed }) => isServed), [false, true]);
  assert.deepEqual(head.cells.map(({ isServed }) => isServed), [true, false]);
});

Deno.test("figureTable() calls the lowest calibration error the best, and leaves out figures that nobody has", () => {
  const { columns, rows } = figureTable(primary);
  const titles = columns.map(({ title }) => title);
  assert.ok(!titles.includes("ROC AUC"));
  assert.ok(figureTable(polarity).columns.some(({ title }) => title === "ROC AUC"));
  const k = titles.indexOf("ECE, %") - 1;
  const errors = rows.map(({ cells }) => parseFloat(cells[k].text));
  for (const [i, { cells }] of rows.entries()) {
    assert.equal(cells[k].isBest, errors[i] === Math.min(...errors));
  }
  for (const { cells } of rows) assert.equal(cells.length, columns.length - 1);
});

Deno.test("crossDatasetTables() gives each taxonomy that the summary does not show whole", () => {
  assert.deepEqual(
    crossDatasetTables(experiment).map(({ taxonomy, table }) => [
      taxonomy,
      ...table.columns.map(({ title }) => title),
    ]),
    [
      ["polarity", "method", "webemo", "emotion-roi", "fi", "twitter-1", "twitter-2"],
      ["primary", "method", "webemo", "emotion-roi"],
    ],
  );
  const elsewhere = { ...primary, dataset: "fi" };
  assert.deepEqual(
    crossDatasetTables(withTasks(polarity, elsewhere)).map(({ taxonomy }) => taxonomy),
    ["primary"],
  );
});

Deno.test("comparisonTable() names the better method, or neither", () => {
  const comparison = { first: "a", second: "b", onlyFirst: 10, onlySecond: 30, p: 0.002 };
  const { rows } = comparisonTable({
    ...polarity,
    comparisons: [
      comparison,
      { ...comparison, onlyFirst: 1200, p: 1e-9 },
      { ...comparison, p: 0.05 },
    ],
  });
  assert.deepEqual(rows.map(({ cells }) => cells.map(({ text }) => text)), [
    ["10", "30", "0.002", "b"],
    ["1,200", "30", "< 0.001", "a"],
    ["10", "30", "0.050", "neither"],
  ]);
});
