/**
 * A student of a made-up bank: views of noise, and a teacher whose features are the mean colours of regions.
 */

import assert from "node:assert/strict";
import { wasmBackend } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING } from "@clip-e/shared";
import type { Measurement } from "../../../trainer/distill/distill_checkpoint.ts";
import {
  type DistillHooks,
  type DistillOptions,
  distillStudent,
  type Lesson,
} from "../../../trainer/distill/distill_student.ts";
import { parseStudent } from "../../../trainer/distill/parse_student.ts";
import {
  HELD_OUT,
  SHARD_VIEWS,
  shardName,
  ViewBank,
  type ViewFormat,
  writeViews,
} from "../../../trainer/distill/view_bank.ts";
import { measureFeatures } from "../../../trainer/distill/view_batches.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { Random } from "../../../trainer/random.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

const FORMAT: ViewFormat = { size: 16, dimensions: 3, side: 2 };
const SPEC = "conv:16:8:16x1:16";
const HELD_OUT_VIEWS = 16;
const OPTIONS: DistillOptions = {
  loss: "standardised",
  batch: 16,
  passes: 4,
  learningRate: 0.01,
  warmUp: 0.1,
  weightDecay: 0.01,
  seed: 1,
  measureEvery: 32,
  saveEvery: 1e6,
};

/** Four squares of one colour each. */
function makeView(random: Random) {
  const { size } = FORMAT;
  const colours = Array.from({ length: 4 }, () => [0, 1, 2].map(() => random.next()));
  const pixels = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const region = 2 * Math.floor(2 * y / size) + Math.floor(2 * x / size);
      pixels.set(colours[region].map((value) => 255 * value), 3 * (y * size + x));
    }
  }
  return { pixels, features: Float32Array.from(colours.flat()) };
}

/** Makes the bank, and runs a test with it. */
async function withLesson(test: (lesson: Lesson, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const random = new Random(9);
    const make = () => Promise.resolve(makeView(random));
    await writeViews(`${folder}/${shardName(0)}`, FORMAT, SHARD_VIEWS, make, "test");
    await writeViews(`${folder}/${HELD_OUT}`, FORMAT, HELD_OUT_VIEWS, make, "test");
    const bank = new ViewBank(folder, FORMAT);
    const scale = measureFeatures(bank, SHARD_VIEWS);
    try {
      await test({
        student: parseStudent(SPEC, scale),
        preprocessing: { ...CLIP_PREPROCESSING, resize: 16, crop: 16 },
        bank,
        views: SHARD_VIEWS,
        heldOut: HELD_OUT_VIEWS,
        scale,
      }, folder);
    } finally {
      bank.close();
    }
  });
}

const teach = (lesson: Lesson, hooks: Partial<DistillHooks>, options = OPTIONS) =>
  distillStudent(lesson, options, wasmBackend, { checkpoint: "", fingerprint: "a", ...hooks });

Deno.test("distillStudent() learns what the teacher makes of pictures that it has not seen", () =>
  withLesson(async (lesson, folder) => {
    const { measurements } = await teach(lesson, { checkpoint: `${folder}/work` });
    assert.deepEqual(measurements.map(({ step }) => step), [32, 64]);
    const [first, last] = measurements;
    assert.ok(last.loss < first.loss / 2, `${last.loss} after ${first.loss}`);
    assert.ok(last.centred > 0.8, `a centred cosine of ${last.centred}`);
    assert.ok(last.cosine > last.centred);
  }));

Deno.test("distillStudent() goes on where it was stopped, to the same bytes", () =>
  withLesson(async (lesson, folder) => {
    const early = { student: parseStudent(SPEC, lesson.scale, 8), share: 0.5 };
    const both = { ...lesson, early };
    const whole = await teach(both, { checkpoint: `${folder}/whole` });

    let steps = 0;
    for (const last of [20, 33, 50]) {
      const stop = new AbortController();
      const onStep = (step: number) => {
        steps++;
        if (step === last) stop.abort(new TrainerError("Stopped"));
      };
      const hooks = { checkpoint: `${folder}/parts`, onStep, signal: stop.signal };
      await assert.rejects(teach(both, hooks), /Stopped/);
    }
    const told: Measurement[] = [];
    const parts = await teach(both, {
      checkpoint: `${folder}/parts`,
      onStep: () => void steps++,
      onMeasure: (measurement) => void told.push(measurement),
    });
    assert.equal(steps, 64);
    assert.deepEqual(parts.encoder, whole.encoder);
    assert.deepEqual(told.map(({ cosine }) => cosine), whole.measurements.map((m) => m.cosine));
  }));

Deno.test("distillStudent() refuses to go on with other work, and with a damaged file", () =>
  withLesson(async (lesson, folder) => {
    const checkpoint = `${folder}/work`;
    const short = { ...OPTIONS, passes: 1 };
    await teach(lesson, { checkpoint }, short);
    await assert.rejects(
      teach(lesson, { checkpoint, fingerprint: "b" }, short),
      (error) => error instanceof TrainerError && /it was another one/.test(error.message),
    );
    await Deno.writeTextFile(checkpoint, "nonsense");
    await assert.rejects(
      teach(lesson, { checkpoint }, short),
      (error) =>
        error instanceof TrainerError && /Delete it, and it begins anew/.test(error.message),
    );
  }));

Deno.test("distillStudent() says what to do when the loss is no number any more", () =>
  withLesson(async (lesson, folder) => {
    await assert.rejects(
      teach(lesson, { checkpoint: `${folder}/work` }, { ...OPTIONS, learningRate: 1e38 }),
      (error) => error instanceof TrainerError && /lower --learning-rate/.test(error.message),
    );
  }));
