import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { fitPlan, type FitPlanOptions } from "../../../trainer/experiment/fit_plan.ts";
import type { Trainee } from "../../../trainer/experiment/rows.ts";
import type { FitPlan } from "../../../trainer/experiment/run_experiment.ts";
import { taskTargets } from "../../../trainer/experiment/tasks.ts";
import { makeData, makeTasks } from "./synthetic.ts";

const DATA = makeData(48);
const [FINE] = makeTasks();
const OPTIONS: FitPlanOptions = { hidden: 24, balance: false, smoothing: 0, maxEpochs: 1 };

function planOf(kind: Trainee["kind"], more: Partial<FitPlan> = {}, task = FINE): FitPlan {
  const all = [...DATA.examples.keys()];
  return {
    trainee: { id: kind, kind, input: kind === "adapter" ? "unit" : "raw", task },
    targets: taskTargets(FINE, DATA.examples.map(({ label }) => label)),
    train: all.slice(12),
    validation: all.slice(0, 12),
    member: 0,
    members: 1,
    seed: 0,
    name: kind,
    ...more,
  };
}

Deno.test("fitPlan() shares hidden units out among the members", async () => {
  for (const [members, units] of [[1, 24], [2, 12], [5, 5]]) {
    const { head } = await fitPlan(DATA, planOf("cross-entropy", { members }), OPTIONS);
    assert.equal(head.img_fc1.units, units);
  }
});

Deno.test("fitPlan() fits the head that the trainee is", async () => {
  const headOf = async (kind: Trainee["kind"]) => (await fitPlan(DATA, planOf(kind), OPTIONS)).head;
  const crossEntropy = await headOf("cross-entropy");
  assert.ok(crossEntropy.kind === "cross-entropy");
  assert.deepEqual([crossEntropy.preds.units, crossEntropy.input], [4, undefined]);
  const published = await headOf("contrastive");
  assert.ok(published.kind === "contrastive");
  assert.deepEqual([published.blend, published.input], [undefined, undefined]);
  const adapter = await headOf("adapter");
  assert.ok(adapter.kind === "contrastive");
  assert.deepEqual([adapter.blend, adapter.input], [0.2, "unit"]);
  const [unprompted] = makeTasks(false);
  const plan = planOf("contrastive", {}, unprompted);
  await assert.rejects(fitPlan(DATA, plan, OPTIONS), /fine has no prompts/);
});

Deno.test("fitPlan() weighs and smooths labels of all heads but the published contrastive one", async () => {
  // Labels that are not equally common.
  const train = [...DATA.examples.keys()].slice(15);
  for (const kind of ["cross-entropy", "adapter", "contrastive"] as const) {
    const plan = planOf(kind, { train });
    const options = { ...OPTIONS, maxEpochs: 5 };
    const plain = await fitPlan(DATA, plan, options);
    for (const more of [{ balance: true }, { smoothing: 0.2 }]) {
      const other = await fitPlan(DATA, plan, { ...options, ...more });
      const isSame = isDeepStrictEqual(other.head, plain.head);
      assert.equal(isSame, kind === "contrastive", `${kind}, ${JSON.stringify(more)}`);
    }
  }
});

Deno.test("fitPlan() throws the reason of its signal", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(
    fitPlan(DATA, planOf("cross-entropy"), { ...OPTIONS, signal }),
    (error) => error === reason,
  );
});
