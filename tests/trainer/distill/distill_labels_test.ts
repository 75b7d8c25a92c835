/**
 * A lesson in which labels say what the teacher does not see: it is told brightness, and the label is a colour.
 */

import assert from "node:assert/strict";
import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING, type Preprocessing } from "@clip-e/shared";
import { exportStudent } from "../../../trainer/distill/export_student.ts";
import {
  type DistillHooks,
  type DistillOptions,
  distillStudent,
  type Lesson,
} from "../../../trainer/distill/distill_student.ts";
import { countNumbers } from "../../../trainer/distill/gradient_graph.ts";
import { makeLabelHead } from "../../../trainer/distill/label_head.ts";
import { parseStudent } from "../../../trainer/distill/parse_student.ts";
import {
  HELD_OUT,
  SHARD_VIEWS,
  shardName,
  ViewBank,
  type ViewFormat,
  writeViews,
} from "../../../trainer/distill/view_bank.ts";
import { measureFeatures, toPixels } from "../../../trainer/distill/view_batches.ts";
import { readSafetensorsFile } from "@clip-e/shared";
import { TrainerError } from "../../../trainer/errors.ts";
import { Random } from "../../../trainer/random.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

const SIZE = 8;
const QUADRANTS = 4;
const FORMAT: ViewFormat = { size: SIZE, dimensions: 2 * QUADRANTS, side: 1 };
const WITH_PLACES: ViewFormat = { ...FORMAT, hasPlaces: true };
const PREPROCESSING: Preprocessing = { ...CLIP_PREPROCESSING, resize: SIZE, crop: SIZE };
const SPEC = "conv:8:8:16x1:16";
const HELD_OUT_VIEWS = 64;
const OPTIONS: DistillOptions = {
  loss: "standardised",
  batch: 16,
  passes: 6,
  learningRate: 0.01,
  warmUp: 0.1,
  weightDecay: 0.01,
  seed: 1,
  measureEvery: 96,
  saveEvery: 1e6,
};

/** Quadrants of some brightness, all of them reddish or bluish; the teacher is told their brightness, twice. */
function makeView(random: Random) {
  const label = random.next() < 0.5 ? 0 : 1;
  const greys = Array.from({ length: QUADRANTS }, () => 60 + 130 * random.next());
  const tint = label === 0 ? 40 : -40;
  const pixels = new Uint8Array(3 * SIZE * SIZE);
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const grey = greys[2 * Math.floor(2 * y / SIZE) + Math.floor(2 * x / SIZE)];
      pixels.set([grey + tint, grey, grey - tint], 3 * (y * SIZE + x));
    }
  }
  const features = Float32Array.from([...greys, ...greys], (grey) => grey / 64 - 2);
  // As if there were two pictures, one of each colour.
  return { label, view: { pixels, features, place: label } };
}

async function writeBank(folder: string, format: ViewFormat, seed: number): Promise<ViewBank> {
  await Deno.mkdir(folder);
  const random = new Random(seed);
  const make = () => Promise.resolve(makeView(random).view);
  await writeViews(`${folder}/${shardName(0)}`, format, SHARD_VIEWS, make, "test");
  await writeViews(`${folder}/${HELD_OUT}`, format, HELD_OUT_VIEWS, make, "test");
  return new ViewBank(folder, format);
}

/** Makes the banks, and runs a test with them. */
async function withLesson(
  test: (lesson: Lesson & Required<Pick<Lesson, "labelled">>, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const bank = await writeBank(`${folder}/plain`, FORMAT, 1);
    const labelledBank = await writeBank(`${folder}/labelled`, WITH_PLACES, 2);
    const scale = measureFeatures(bank, SHARD_VIEWS);
    try {
      await test({
        student: parseStudent(SPEC, scale),
        preprocessing: PREPROCESSING,
        bank,
        views: SHARD_VIEWS,
        heldOut: HELD_OUT_VIEWS,
        scale,
        labelled: {
          bank: labelledBank,
          views: SHARD_VIEWS,
          heldOut: HELD_OUT_VIEWS,
          labels: 2,
          labelOf: [0, 1],
          head: makeLabelHead(2, scale),
          weight: 1,
        },
      }, folder);
    } finally {
      bank.close();
      labelledBank.close();
    }
  });
}

const teach = (lesson: Lesson, hooks: Partial<DistillHooks>, options = OPTIONS) =>
  distillStudent(lesson, options, wasmBackend, { checkpoint: "", fingerprint: "a", ...hooks });

/** How often a linear classifier of embeddings, fitted to some new views, tells the label of others. */
async function probe(bytes: Uint8Array): Promise<number> {
  const encoder = await openEncoder(bytes, SIZE, { backend: wasmBackend });
  const random = new Random(3);
  const rows: { readonly x: Float32Array; readonly sign: number }[] = [];
  for (let i = 0; i < 300; i++) {
    const { label, view } = makeView(random);
    const x = await encoder.encode(toPixels(view, SIZE, PREPROCESSING));
    rows.push({ x: Float32Array.of(...x, 1), sign: label === 0 ? 1 : -1 });
  }
  await encoder.close();
  const weights = new Float64Array(FORMAT.dimensions + 1);
  const score = (x: Float32Array) => x.reduce((sum, value, d) => sum + value * weights[d], 0);
  const [fitted, others] = [rows.slice(0, 200), rows.slice(200)];
  for (let step = 0; step < 2000; step++) {
    const gradient = weights.map(() => 0);
    for (const { x, sign } of fitted) {
      const slope = sign / (1 + Math.exp(sign * score(x)));
      x.forEach((value, d) => gradient[d] += slope * value / fitted.length);
    }
    gradient.forEach((g, d) => weights[d] += g);
  }
  return others.filter(({ x, sign }) => sign * score(x) > 0).length / others.length;
}

Deno.test("distillStudent() makes the embedding keep what labels need, and the teacher does not see", () =>
  withLesson(async (lesson, folder) => {
    const { labelled: _, ...plain } = lesson;
    // As many steps as over both banks.
    const longer = { ...OPTIONS, passes: 2 * OPTIONS.passes };
    const without = await teach(plain, { checkpoint: `${folder}/without` }, longer);
    const withLabels = await teach(lesson, { checkpoint: `${folder}/with` });
    const shares = [await probe(without.encoder), await probe(withLabels.encoder)];
    assert.ok(shares[0] < 0.7, `${shares[0]} told without labels`);
    assert.ok(shares[1] > 0.95, `${shares[1]} told with labels`);

    const [last] = withLabels.measurements.slice(-1);
    assert.equal(last.labels?.pictures, HELD_OUT_VIEWS);
    assert.ok(last.labels.accuracy > 0.9, `${last.labels.accuracy} told by the head`);
    assert.ok(last.labels.commonest >= 0.5 && last.labels.commonest < 0.7);
    assert.ok(last.centred > 0.8, `a centred cosine of ${last.centred}`);
    assert.equal(without.measurements[0].labels, undefined);
  }));

Deno.test("distillStudent() goes on with labels where it was stopped, to the same bytes, and writes the student alone", () =>
  withLesson(async (lesson, folder) => {
    const short = { ...OPTIONS, passes: 2 };
    const early = { student: parseStudent(SPEC, lesson.scale, 4), share: 0.4 };
    const both = { ...lesson, early };
    const whole = await teach(both, { checkpoint: `${folder}/whole` }, short);
    for (const last of [10, 40]) {
      const stop = new AbortController();
      const onStep = (step: number) => {
        if (step === last) stop.abort(new TrainerError("Stopped"));
      };
      const hooks = { checkpoint: `${folder}/parts`, onStep, signal: stop.signal };
      await assert.rejects(teach(both, hooks, short), /Stopped/);
    }
    const parts = await teach(both, { checkpoint: `${folder}/parts` }, short);
    assert.deepEqual(parts.encoder, whole.encoder);
    assert.deepEqual(parts.measurements.map(({ labels }) => labels), [
      whole.measurements[0].labels,
    ]);
    const saved = await Deno.readFile(`${folder}/parts`);
    const average = readSafetensorsFile(saved).tensors.get("average")?.data;
    const own = countNumbers(lesson.student.parameters);
    assert.equal(average?.length, own + 2 * (FORMAT.dimensions + 1));
    const alone = await exportStudent(lesson.student, average.slice(0, own), wasmBackend);
    assert.deepEqual(parts.encoder, alone);
  }));
