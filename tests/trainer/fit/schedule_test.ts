import assert from "node:assert/strict";
import { learningRateAt, type ScheduleOptions } from "../../../trainer/fit/schedule.ts";

function rates(options: Partial<ScheduleOptions>): number[] {
  const all: ScheduleOptions = {
    learningRate: 2,
    schedule: "constant",
    warmUp: 0,
    steps: 8,
    ...options,
  };
  return Array.from({ length: 8 }, (_, step) => learningRateAt(step, all));
}

function assertClose(actual: readonly number[], expected: readonly number[]) {
  assert.equal(actual.length, expected.length);
  for (const [i, v] of actual.entries()) assert.ok(Math.abs(v - expected[i]) < 1e-12, `${actual}`);
}

Deno.test("learningRateAt() stays the same where it is constant", () => {
  assertClose(rates({}), [2, 2, 2, 2, 2, 2, 2, 2]);
});

Deno.test("learningRateAt() grows evenly over the warm-up to its largest", () => {
  assertClose(rates({ warmUp: 0.5 }), [0.5, 1, 1.5, 2, 2, 2, 2, 2]);
});

Deno.test("learningRateAt() falls along half a cosine to 0, which is after the last step", () => {
  const c = (share: number) => 1 + Math.cos(Math.PI * share);
  assertClose(rates({ schedule: "cosine" }), [0, 1, 2, 3, 4, 5, 6, 7].map((s) => c(s / 8)));
  assertClose(rates({ schedule: "cosine", warmUp: 0.25 }), [
    1,
    2,
    ...[0, 1, 2, 3, 4, 5].map((s) => c(s / 6)),
  ]);
  const halfway = { learningRate: 2, schedule: "cosine", warmUp: 0, steps: 8 } as const;
  assert.equal(learningRateAt(4, halfway), 1);
  assert.equal(learningRateAt(8, halfway), 0);
});
