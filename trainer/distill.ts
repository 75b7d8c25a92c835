/**
 * `deno task distill`: a large image encoder and pictures in, a small encoder out that sees as the large one does. The straight
 * line of distillation: pictures -> views with the teacher's features (kept) -> steps -> ONNX.
 */

import { sha256 } from "@clip-e/shared";
import { readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { join } from "node:path";
import { cutOnce } from "./distill/cut/cut_once.ts";
import type { LabelMeasurement } from "./distill/distill_checkpoint.ts";
import { findFeatureLoss } from "./distill/feature_loss.ts";
import { countSteps, distillStudent } from "./distill/distill_student.ts";
import { makeLabelHead } from "./distill/label_head.ts";
import { readLabelled } from "./distill/labelled_pictures.ts";
import { type Banks, makeBanks } from "./distill/make_banks.ts";
import { nameTeacher, openStudent, type StudentPlan } from "./distill/parse_student.ts";
import { roundKernels } from "./distill/rounded_student.ts";
import { countNumbers } from "./distill/gradient_graph.ts";
import type { Student } from "./distill/student.ts";
import { measureFeatures } from "./distill/view_batches.ts";
import { studentPreprocessing } from "./distill/view_maker.ts";
import { writeStudent } from "./distill/write_student.ts";
import { chooseBackend, openBackend } from "./embedding/choose_backend.ts";
import { quoteSome } from "./data/data_failure.ts";
import { DISTILL_FLAGS, type DistillFlags } from "./distill_options.ts";
import { readEncoder } from "./embedding/encoder_spec.ts";
import { openEncoderFile } from "./encoder/encoder_file.ts";
import { TrainerError } from "./errors.ts";
import { duration } from "./experiment/plan_words.ts";
import { fail } from "./fail.ts";
import { startProgress } from "./progress.ts";
import { datasetOptions } from "./train_options.ts";
import { cachePath, userDataset, userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task distill",
  description:
    "Trains a small image encoder to give the embeddings of a large one. Pictures need no labels. Views of them are made and\n" +
    "shown to the large one once, and kept; training is saved, too: one that was cut off goes on where it was. Labels of other\n" +
    "pictures may be learned at the same time.",
  flags: DISTILL_FLAGS,
} as const;

/** Seconds between saves. */
const SAVE_EVERY = 60;

/** Steps after which it is known about how long all of them take. */
const EARLY = 20;

const say = (words: string) => console.error(words);

/** What the command did, as `--json` prints it. */
interface Summary {
  /** The file. */
  readonly out: string;
  /** Of it. */
  readonly bytes: number;
  readonly sha256: string;
  /** How many numbers were learned. */
  readonly parameters: number;
  readonly views: number;
  readonly steps: number;
  /** On pictures that are held out. */
  readonly cosine: number;
  /** The same without what all embeddings share. */
  readonly centred: number;
  /** On labelled pictures that are held out, where labels are learned. */
  readonly labels?: LabelMeasurement;
}

/** What a run is about. */
async function prepare(options: DistillFlags) {
  const { teacher, pictures, out } = options;
  if (teacher === undefined) throw new UsageError("--teacher is needed");
  if (pictures.length === 0) throw new UsageError("--pictures is needed");
  if (out === undefined && !options.viewsOnly) throw new UsageError("--out is needed");
  const loss = findFeatureLoss(options.loss);
  const spec = await readEncoder(userPath(teacher));
  say(`Teacher: ${teacher}, ${spec.preprocessingFrom}`);
  const dimensions = await countDimensions(userPath(teacher));
  const { earlySize, viewSize } = options;
  const named = nameTeacher(options.student, teacher);
  const student = await openStudent(named, userPath);
  if (viewSize !== undefined && viewSize < student.size) {
    throw new UsageError(`--view-size must be at least ${student.size}, the student's own`);
  }
  const labelled = await readLabels(options);
  return {
    teacher: spec,
    dimensions,
    student,
    loss,
    ...(earlySize !== undefined && {
      early: await openStudent(named, userPath, earlySize),
    }),
    ...(labelled && { labelled }),
  };
}

/** The labelled pictures that were asked for. */
async function readLabels(options: DistillFlags) {
  if (options.labels === undefined) return undefined;
  const source = { dataset: userDataset(options.labels), options: datasetOptions(options) };
  const { labels, labelOf, notes } = await readLabelled(source);
  const shown = quoteSome(labels);
  say(`Labels: ${options.labels}, ${labelOf.length} pictures, ${labels.length} labels: ${shown}`);
  notes.forEach(say);
  return { source, labels, labelOf };
}

type Setup = Awaited<ReturnType<typeof prepare>>;

/** D, which a run tells. */
async function countDimensions(teacher: string): Promise<number> {
  const { encoder, goldenEmbedding } = await openEncoderFile(teacher);
  await encoder.close();
  return goldenEmbedding.length;
}

/** Makes all views that are not there yet. */
function makeViews(
  { teacher, dimensions, student, labelled }: Setup,
  { pictures, views, viewSize, labelViews, seed, backend, workers, cache }: DistillFlags,
  signal: AbortSignal,
): Promise<Banks> {
  const located = (spec: string) => spec.startsWith("tar:") ? userDataset(spec) : userPath(spec);
  return makeBanks({
    teacher,
    dimensions,
    size: viewSize ?? student.size,
    seed,
    plain: { pictures: pictures.map(located), views },
    ...(labelled && {
      labelled: { pictures: labelled.source, views: labelViews ?? Math.ceil(views / 4) },
    }),
  }, {
    cache: cachePath(cache, "distill"),
    backend,
    ...(workers !== undefined && { workers }),
    say,
    signal,
  });
}

async function teach(
  { teacher, student: plan, early: earlyPlan, dimensions, loss, labelled: told }: Setup,
  { plain, labelled }: Banks,
  options: DistillFlags,
  signal: AbortSignal,
) {
  const { bank, views, heldOut, name } = plain;
  const { batch, passes, learningRate, warmUp, weightDecay, seed, workers, labelWeight } = options;
  const backendName = await chooseBackend(options.backend);
  const backend = await openBackend(backendName, workers ?? navigator.hardwareConcurrency);
  const all = views + (labelled?.views ?? 0);
  const steps = countSteps(all, options);
  if (steps === 0) throw new UsageError(`--batch must be at most the ${all} views`);
  const learning = { loss, batch, passes, learningRate, warmUp, weightDecay, seed };
  const scale = measureFeatures(bank, views);
  const cache = cachePath(options.cache, "distill");
  const { preprocessing: wanted } = teacher;
  const cut = cutOnce({ cache, bank, views, name, preprocessing: wanted, backend, say });
  const make = async (plan: StudentPlan) => {
    const student = await plan.make(scale, cut);
    return options.int8Weights ? roundKernels(student) : student;
  };
  const student = await make(plan);
  const early = earlyPlan && { student: await make(earlyPlan), share: options.early };
  const rounds = options.int8Weights ? ["int8"] : [];
  const learner = [options.student, plan.digest, earlyPlan?.size, early?.share, ...rounds];
  const labels = told && labelled &&
    [labelled.name, labelled.views, labelWeight, told.labels, told.labelOf];
  const preprocessing = studentPreprocessing(teacher.preprocessing, plan.size);
  const fingerprint = await sha256(
    new TextEncoder().encode(
      JSON.stringify([name, views, dimensions, learner, learning, ...(labels ? [labels] : [])]),
    ),
  );
  say(
    `Student: ${options.student}, ${
      count(student)
    } parameters; ${steps} steps of ${batch} views, by ${backendName}`,
  );
  const progress = startProgress("Distilling", steps);
  const clock = startClock(steps);
  try {
    const distilled = await distillStudent(
      {
        student,
        ...(early && { early }),
        preprocessing,
        bank,
        views,
        heldOut,
        scale,
        ...(told && labelled && {
          labelled: {
            ...labelled,
            labels: told.labels.length,
            labelOf: told.labelOf,
            head: makeLabelHead(told.labels.length, scale),
            weight: labelWeight,
          },
        }),
      },
      {
        ...learning,
        measureEvery: Math.ceil(steps / options.measurements),
        saveEvery: SAVE_EVERY,
      },
      backend,
      {
        checkpoint: join(
          cache,
          `student-${fingerprint.slice(0, 16)}.safetensors`,
        ),
        fingerprint,
        signal,
        onStep(step, loss) {
          const { first, left } = clock.tick(step);
          if (step === first + EARLY) say(`Distilling will take about ${left}`);
          progress.set(step, first);
          progress.note(`loss ${loss.toFixed(4)}`);
        },
        onMeasure({ step, loss, cosine, centred, labels }) {
          const left = clock.left === undefined ? "" : `, ${clock.left} left`;
          say(
            `Step ${step} of ${steps}: loss ${loss.toFixed(4)}, held-out cosine ${
              cosine.toFixed(4)
            }, centred ${centred.toFixed(4)}${labels ? `, ${labelWords(labels)}` : ""}${left}`,
          );
        },
      },
    );
    return { ...distilled, parameters: countNumbers(student.parameters) };
  } finally {
    await progress.stop();
  }
}

function labelWords({ pictures, accuracy, commonest }: LabelMeasurement): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `labels of ${pictures} held-out pictures right in ${percent(accuracy)} ` +
    `(${percent(commonest)} have the most frequent one)`;
}

function count({ parameters }: Student): string {
  return `${(countNumbers(parameters) / 1e6).toFixed(2)} million`;
}

/** Tells how much time is left, by the steps of this run. */
function startClock(steps: number) {
  let first: number | undefined;
  let start = 0;
  let left: string | undefined;
  return {
    /** In words; absent while nothing is known. */
    get left() {
      return left;
    },
    /** Notes that a step is done. The first is not measured: it may take longer. */
    tick(step: number) {
      if (first === undefined) [first, start] = [step, performance.now()];
      const seconds = (performance.now() - start) / 1000;
      if (step > first) left = duration(seconds / (step - first) * (steps - step));
      return { first, left };
    },
  };
}

async function distill(options: DistillFlags, signal: AbortSignal): Promise<void> {
  const setup = await prepare(options);
  const banks = await makeViews(setup, options, signal);
  try {
    if (options.viewsOnly) return;
    const { encoder, measurements, parameters } = await teach(setup, banks, options, signal);
    const out = userPath(options.out ?? "");
    await writeStudent(
      out,
      encoder,
      studentPreprocessing(setup.teacher.preprocessing, setup.student.size),
    );
    const last = measurements[measurements.length - 1];
    report({
      out,
      bytes: encoder.length,
      sha256: await sha256(encoder),
      parameters,
      views: banks.plain.views + (banks.labelled?.views ?? 0),
      steps: last.step,
      cosine: last.cosine,
      centred: last.centred,
      ...(last.labels && { labels: last.labels }),
    }, options.json);
  } finally {
    banks.plain.bank.close();
    banks.labelled?.bank.close();
  }
}

function report(summary: Summary, json: boolean): void {
  if (json) return console.log(JSON.stringify(summary));
  const { out, bytes, views, steps, cosine, centred, labels } = summary;
  console.log(
    `${out}: ${
      (bytes / 1e6).toFixed(2)
    } MB, after ${steps} steps on ${views} views. On pictures that are held out its ` +
      `cosine to the teacher is ${cosine.toFixed(4)}, and ${
        centred.toFixed(4)
      } without what all embeddings share${labels ? `; ${labelWords(labels)}` : ""}`,
  );
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort(new TrainerError("Stopped. What is done is kept: run it again to go on"));
  });
  await distill(line.values, stop.signal);
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
