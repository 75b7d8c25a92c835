/** Other tests, and a benchmark, rely on heads that are those of a training run; so they have to stay the same. */

import assert from "node:assert/strict";
import { fitPlan } from "../../../trainer/experiment/fit_plan.ts";
import { chooseProtocol } from "../../../trainer/experiment/protocol.ts";
import { listRows } from "../../../trainer/experiment/rows.ts";
import { runExperiment } from "../../../trainer/experiment/run_experiment.ts";
import { Random } from "../../../trainer/random.ts";
import { fitCalibrated, scoreCalibrated } from "../../calibrated_heads.ts";
import { makeData, makeTasks, SIZE } from "./synthetic.ts";

Deno.test("fitCalibrated() gives the heads that runExperiment() measures", async () => {
  const data = makeData(72, { noise: 0.8 });
  const [task] = makeTasks(false);
  for (const folds of [2, undefined]) {
    const random = new Random(7);
    const protocol = chooseProtocol(
      data.examples,
      { folds, test: 0.2, validation: 0 },
      random,
    );
    const { rows: [{ measured }] } = await runExperiment(
      data,
      listRows([task], SIZE, false),
      protocol,
      {
        seeds: [7],
        members: 4,
        random,
        fit: (plan) => fitPlan(data, plan, { hidden: 512, balance: false, smoothing: 0 }),
      },
    );
    const heads = await fitCalibrated(data, task.taxonomy, {
      ...(folds !== undefined && { folds }),
      seed: 7,
    });
    const scored = heads.flatMap((head) =>
      head.test.map((i) => {
        const embedding = data.embeddings.subarray(i * SIZE, (i + 1) * SIZE);
        return [i, scoreCalibrated(head, embedding)] as const;
      })
    );
    assert.deepEqual(scored.map(([i]) => i), measured.indices);
    for (const [n, [i, scores]] of scored.entries()) {
      for (const [k, score] of scores.entries()) {
        // Many pictures at a time go through the head in single precision.
        assert.ok(Math.abs(score - measured.scores[n][k]) < 1e-5, `picture ${i}, label ${k}`);
      }
    }
  }
});
