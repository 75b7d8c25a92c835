import assert from "node:assert/strict";
import { estimateEpoch, measureSpeed } from "../../../trainer/experiment/estimate_training.ts";
import { countFits, duration, formatPlan } from "../../../trainer/experiment/plan_words.ts";
import { chooseProtocol } from "../../../trainer/experiment/protocol.ts";
import { listRows } from "../../../trainer/experiment/rows.ts";
import { WASM } from "../../../trainer/fit/device.ts";
import { Random } from "../../../trainer/random.ts";
import { makeData, makeTasks, SIZE } from "./synthetic.ts";

const { examples } = makeData(120);
const rows = listRows(makeTasks(), SIZE, false);
const folds = chooseProtocol(examples, { folds: 4, test: 0.2, validation: 0 }, new Random(1));
const split = chooseProtocol(examples, { test: 0.25, validation: 0.1 }, new Random(1));

Deno.test("countFits() counts each trainee's heads in every round, and the served ones", () => {
  // Two cross-entropy heads and one on prompts.
  assert.equal(countFits(rows, folds, 1, 3), 3 * (4 + 1) * 3);
  assert.equal(countFits(rows, folds, 2, 3), 2 * 3 * (4 + 1) * 3);
  assert.equal(countFits(rows, split, 2, 4), 2 * 3, "one head where pictures are held back");
});

Deno.test("estimateEpoch() grows with pictures, seeds and units, and shrinks with speed", () => {
  const estimate = (seeds: number, hidden: number, speed: number, protocol = split) =>
    estimateEpoch(rows, protocol, { size: SIZE, hidden }, 2, seeds, speed);
  const one = estimate(1, 16, 1e9);
  assert.ok(one > 0);
  assert.ok(Math.abs(estimate(3, 16, 1e9) / one - 3) < 1e-9);
  assert.ok(Math.abs(estimate(1, 32, 1e9) / one - 2) < 1e-9);
  assert.ok(Math.abs(estimate(1, 16, 2e9) / one - 0.5) < 1e-9);
  assert.ok(estimate(1, 16, 1e9, folds) > one, "folds are more work");
});

Deno.test("measureSpeed() finds more than a million operations a second", async () => {
  const speed = await measureSpeed(WASM);
  assert.ok(speed > 1e6 && speed < 1e15, `${speed}`);
});

Deno.test("formatPlan() says what is found, what is done, and about how long that takes", () => {
  const words = formatPlan({
    data: ["webemo:DIR: 120 pictures, 4 labels"],
    encoder: "encoder.onnx, float32, wasm on 2 workers",
    embedding: { pictures: 120_000, unknown: 90_000, seconds: 5400 },
    rows,
    protocol: split,
    seeds: 2,
    members: 1,
    training: "recipe paper, on WebAssembly",
    epochSeconds: 12.3,
    out: "bundles/mine",
    report: "bundles/mine/report",
  });
  assert.equal(
    words,
    [
      "Plan",
      "  Data     webemo:DIR: 120 pictures, 4 labels",
      "  Encoder  encoder.onnx, float32, wasm on 2 workers",
      "  Embed    120,000 pictures, about 30,000 of them known: about 90 min",
      "  Compare  fine: zero-shot; cross-entropy; contrastive",
      "           polarity: zero-shot; cross-entropy; contrastive",
      "  Train    6 heads: cross-entropy-fine, contrastive-fine, cross-entropy-polarity, 2 seeds each",
      "           recipe paper, on WebAssembly, at least 13 s for an epoch of all of them",
      `  Measure  a test split of ${split.served.test.length} pictures`,
      "  Write    bundles/mine, report in bundles/mine/report",
    ].join("\n"),
  );
});

Deno.test("duration() is in the unit that people would use", () => {
  const expected = { 0.04: "0.0 s", 0.5: "0.5 s", 3.2: "4 s", 99: "99 s", 150: "3 min" };
  for (const [seconds, words] of Object.entries(expected)) {
    assert.equal(duration(Number(seconds)), words);
  }
  assert.equal(duration(7200), "2.0 h");
});
