/**
 * Distillation: a student takes steps on the views of a bank, is measured now and then on pictures that are held out, and is
 * saved, so that whatever cuts it off, it goes on where it was.
 */

import type { Backend } from "@clip-e/edge/encoder";
import type { Preprocessing } from "@clip-e/shared";
import { breather } from "../breather.ts";
import { TrainerError } from "../errors.ts";
import { learningRateAt } from "../fit/schedule.ts";
import { Random } from "../random.ts";
import { firstState, takeStep } from "./adam_w.ts";
import { loadProgress, type Measurement, saveProgress } from "./distill_checkpoint.ts";
import { exportStudent } from "./export_student.ts";
import type { FeatureLoss } from "./feature_loss.ts";
import { sizeOf } from "./graph/tape.ts";
import {
  buildGradient,
  countNumbers,
  GRADIENT_INPUTS,
  GRADIENT_OUTPUT,
  layOut,
  parametersOf,
  type WeighedHead,
} from "./gradient_graph.ts";
import { measureStudent } from "./measure_student.ts";
import type { FeatureScale, Parameter, Student } from "./student.ts";
import type { ViewBank } from "./view_bank.ts";
import { type LabelledViews, ViewBatches } from "./view_batches.ts";

/** How a student is taught. */
export interface DistillOptions {
  /** What is made small. */
  readonly loss: FeatureLoss;
  /** B. */
  readonly batch: number;
  /** How often each view is looked at. */
  readonly passes: number;
  /** Of the largest steps; sizes fall to 0 along half a cosine. */
  readonly learningRate: number;
  /** The share of all steps over which sizes grow from 0. */
  readonly warmUp: number;
  /** Of AdamW, on kernels. */
  readonly weightDecay: number;
  /** Decides first weights and the order of views. */
  readonly seed: number;
  /** How often the student is measured, in steps. */
  readonly measureEvery: number;
  /** After how many seconds it is saved. */
  readonly saveEvery: number;
}

/** Who learns from what. */
export interface Lesson {
  /** Who learns. */
  readonly student: Student;
  /** The same student of smaller pictures, which learns first: it takes less time. */
  readonly early?: { readonly student: Student; readonly share: number };
  /** How the student wants pictures. */
  readonly preprocessing: Preprocessing;
  /** Views with features. */
  readonly bank: ViewBank;
  /** How many there are to learn from. */
  readonly views: number;
  /** How many are held out. */
  readonly heldOut: number;
  /** Of the features. */
  readonly scale: FeatureScale;
  /** Labels to be learned beside what the teacher sees. */
  readonly labelled?: LabelledLesson;
}

/** Views whose labels are learned, and what learns them. */
export interface LabelledLesson extends LabelledViews, WeighedHead {
  /** How many more are held out. */
  readonly heldOut: number;
}

/** Where the work is saved, and who is told. */
export interface DistillHooks {
  /** The file. */
  readonly checkpoint: string;
  /** Of everything that the result depends on. */
  readonly fingerprint: string;
  /** Told after every step. */
  readonly onStep?: (step: number, loss: number) => void;
  /** Told of every measurement, those from before too. */
  readonly onMeasure?: (measurement: Measurement) => void;
  /** Stops the work, which is saved then. */
  readonly signal?: AbortSignal;
}

/** What came of it. */
export interface Distilled {
  /** ONNX. */
  readonly encoder: Uint8Array<ArrayBuffer>;
  /** All of them, the last at the end. */
  readonly measurements: readonly Measurement[];
}

/**
 * Teaches a student.
 *
 * @param lesson who learns from what
 * @param options how
 * @param backend what computes
 * @param hooks where the work is saved, and who is told
 * @throws {TrainerError} when the loss is no number any more, or what was saved is of another run
 */
export async function distillStudent(
  lesson: Lesson,
  options: DistillOptions,
  backend: Backend,
  hooks: DistillHooks,
): Promise<Distilled> {
  const { student, early, views, labelled } = lesson;
  const { weightDecay, seed } = options;
  const steps = countSteps(views + (labelled?.views ?? 0), options);
  const earlySteps = Math.round(steps * (early?.share ?? 0));
  const saved = await loadProgress(hooks.checkpoint, hooks.fingerprint);
  const state = saved?.state ?? firstState(drawParameters(parametersOf(student, labelled), seed));
  let step = saved?.step ?? 0;
  const measurements = [...saved?.measurements ?? []];
  measurements.forEach((measurement) => hooks.onMeasure?.(measurement));

  const { learningRate, warmUp } = options;
  const decaying = countNumbers(student.parameters.filter(({ decays }) => decays));
  const isEarly = () => early !== undefined && step < earlySteps;
  const open = () => openPart(lesson, isEarly(), options, backend);
  let part = await open();
  // What learns labels stands behind the student, and is not written.
  const own = countNumbers(student.parameters);
  const write = () => exportStudent(student, state.average.slice(0, own), backend);
  const measure = async () =>
    measureStudent(await write(), lesson, state.average.slice(own), backend);
  const save = () =>
    saveProgress(hooks.checkpoint, hooks.fingerprint, { state, step, measurements });
  const breathe = breather(hooks.signal);
  let savedAt = performance.now();
  let losses: number[] = [];
  try {
    while (step < steps) {
      if (part.isEarly && !isEarly()) {
        await part.close();
        part = await open();
      }
      const { loss, gradient } = await part.differentiate(state.parameters, step);
      if (!Number.isFinite(loss)) {
        throw new TrainerError(
          `Cannot distill: the loss became ${loss} in step ${step}. Give a lower --learning-rate`,
        );
      }
      const rate = learningRateAt(step, { learningRate, warmUp, steps, schedule: "cosine" });
      takeStep(state, gradient, { number: step, rate, decay: weightDecay, decaying });
      step++;
      losses.push(loss);
      hooks.onStep?.(step, loss);
      if (step % options.measureEvery === 0 || step === steps) {
        const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
        losses = [];
        measurements.push({ step, loss: mean, ...await measure() });
        hooks.onMeasure?.(measurements[measurements.length - 1]);
      }
      if (performance.now() - savedAt > 1000 * options.saveEvery) {
        await save();
        savedAt = performance.now();
      }
      await breathe();
    }
  } finally {
    await part.close();
    if (step > (saved?.step ?? 0)) await save();
  }
  return { encoder: await write(), measurements };
}

/**
 * How many steps a student takes.
 *
 * @param views all that there are, those with labels too
 * @param options how it is taught
 */
export function countSteps(
  views: number,
  { batch, passes }: Pick<DistillOptions, "batch" | "passes">,
): number {
  return Math.floor(views / batch) * passes;
}

/** Opens what tells the loss of a batch, and its gradient. */
async function openPart(
  { student, early, preprocessing, bank, views, scale, labelled }: Lesson,
  isEarly: boolean,
  { batch, loss, seed }: DistillOptions,
  backend: Backend,
) {
  const learner = isEarly && early ? early.student : student;
  const { size } = learner;
  const { dimensions, side } = bank.format;
  const count = countNumbers(parametersOf(learner, labelled));
  const batches = new ViewBatches({
    bank,
    views,
    ...(labelled && { labelled }),
    batch,
    preprocessing: { ...preprocessing, resize: size, crop: size },
    seed,
  });
  const { deviation } = scale;
  const session = await backend.open(
    buildGradient(learner, { batch, side, loss, deviation, ...(labelled && { labels: labelled }) }),
  );
  const floats = (data: Float32Array, dims: readonly number[]) =>
    ({ type: "float32", data, dims }) as const;
  return {
    isEarly,
    async differentiate(parameters: Float32Array, step: number) {
      const { pixels, features, targets } = batches.read(step);
      const { data } = await session.run({
        [GRADIENT_INPUTS.parameters]: floats(parameters, [count]),
        [GRADIENT_INPUTS.pixels]: floats(pixels, [batch, 3, size, size]),
        [GRADIENT_INPUTS.features]: floats(features, [batch, side ** 2, dimensions]),
        ...(targets && {
          [GRADIENT_INPUTS.targets]: floats(targets, [batch, targets.length / batch]),
        }),
      }, GRADIENT_OUTPUT);
      if (!(data instanceof Float32Array)) throw new TypeError("A gradient must be floats");
      return { gradient: data, loss: data[count] };
    },
    close: () => session.close(),
  };
}

/** First numbers, in the order of the vector. */
function drawParameters(parameters: readonly Parameter[], seed: number): Float32Array {
  const numbers = new Float32Array(countNumbers(parameters));
  const random = new Random(seed);
  for (const { parameter: { shape, draw }, at } of layOut(parameters)) {
    for (let i = 0; i < sizeOf(shape); i++) numbers[at + i] = draw(random, i);
  }
  return numbers;
}
