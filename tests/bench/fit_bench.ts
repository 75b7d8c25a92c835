/**
 * What training a head costs at full size, beside NumPy: `deno task bench:fit`. Both take the same steps on the same
 * examples by turns. Read the ratios: of each one's fastest turn, and of the medians of CPU time, which counts what else the
 * machine does least, but on several threads is no measure of how long one waits. Then heads are trained, to be held against
 * the best that anyone can do on these examples.
 *
 * Needs a Python with NumPy: `--python`, which may be repeated, `python3` by default. What BLAS a NumPy has makes most of
 * the difference, and the table says which it is. Ours computes with one thread. `--speed-only` and `--fit-only` do half,
 * `--examples`, `--epochs`, `--rounds` and `--steps` less or more.
 */

import {
  contrastiveLogits,
  crossEntropyLogits,
  type Head,
  type Prompts,
  unitVector,
} from "@clip-e/shared";
import { parseArgs } from "@std/cli/parse-args";
import { fit } from "../../trainer/fit/fit.ts";
import type { FitData } from "../../trainer/fit/fit_data.ts";
import type { FitOptions, HeadPlan } from "../../trainer/fit/fit_options.ts";
import { Random } from "../../trainer/random.ts";
import { bayesAccuracy, drawClasses, drawExamples } from "./fit/gaussian_classes.ts";
import { NumpyProcess, type StepTimes } from "./fit/numpy_process.ts";
import { OurSteps } from "./fit/our_steps.ts";

const [SIZE, CLASSES, BATCH] = [512, 25, 512];
/** So that the best that anyone can do is about 97 in 100. */
const SPREAD = 4.2;
const RATE = 1e-3;

const options = parseArgs(Deno.args, {
  string: ["python", "examples", "epochs", "rounds", "steps"],
  boolean: ["speed-only", "fit-only"],
  collect: ["python"],
  default: { examples: "268000", epochs: "4", rounds: "25", steps: "3" },
});
const [examples, epochs, rounds, steps] = [
  options.examples,
  options.epochs,
  options.rounds,
  options.steps,
].map(Number);
const pythons = options.python.length > 0 ? options.python : ["python3"];

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function printRow(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function printHeader(...cells: readonly string[]): void {
  printRow(...cells);
  printRow(...cells.map(() => "---"));
}

/** The most memory that the process has had, where the system says so. */
async function peakMemory(): Promise<string> {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(await Deno.readTextFile("/proc/self/status")) ??
      [];
    return `${Math.round(Number(kilobytes) / 1024)} MiB`;
  } catch {
    return `${Math.round(Deno.memoryUsage().rss / 2 ** 20)} MiB now`;
  }
}

/** Takes steps by turns, and compares. */
async function compareSpeed(data: FitData, plan: HeadPlan): Promise<void> {
  const folder = await Deno.makeTempDir();
  using ours = new OurSteps(data, plan, BATCH);
  await ours.share(folder);
  await using stack = new AsyncDisposableStack();
  const theirs = pythons.flatMap((python) =>
    [1, undefined].map((threads) => stack.use(new NumpyProcess(python, threads)))
  );
  const names: string[] = [];
  for (const process of theirs) names.push(await process.load(folder, plan.kind));
  await Deno.remove(folder, { recursive: true });

  // The first turn compiles and warms up, and shows that all take the same steps.
  const first = await ours.steps(5, RATE);
  for (const [i, process] of theirs.entries()) {
    const { losses } = await process.steps(5, RATE);
    const apart = losses.map((loss, s) => Math.abs(loss / first.losses[s] - 1));
    if (Math.max(...apart) > 1e-4) {
      throw new Error(`${names[i]} takes other steps: ${losses}, not ${first.losses}`);
    }
  }
  const our: StepTimes[] = [];
  const their: StepTimes[][] = theirs.map(() => []);
  for (let round = 0; round < rounds; round++) {
    our.push(await ours.steps(steps, RATE));
    for (const [i, process] of theirs.entries()) their[i].push(await process.steps(steps, RATE));
  }
  const fastest = (turns: readonly StepTimes[]) => Math.min(...turns.map((turn) => turn.seconds));
  const cpu = (turns: readonly StepTimes[]) => median(turns.map((turn) => turn.cpuSeconds));
  for (const [i, name] of names.entries()) {
    printRow(
      plan.kind,
      ...describe(fastest(our)),
      name,
      ...describe(fastest(their[i])),
      `${(fastest(our) / fastest(their[i])).toFixed(2)}x`,
      `${(cpu(our) / cpu(their[i])).toFixed(2)}x`,
    );
  }
}

/** A step, and an epoch of such. */
function describe(seconds: number): string[] {
  const step = seconds / steps;
  return [
    `${(step * 1000).toFixed(1)} ms`,
    `${(step * Math.floor(examples / BATCH)).toFixed(1)} s`,
  ];
}

/** Trains a head, and holds it against the nearest mean. */
async function measureFit(
  name: string,
  data: FitData,
  parts: { train: number[]; validation: number[]; test: number[] },
  bayes: number,
  plan: HeadPlan,
  given: FitOptions,
): Promise<void> {
  const start = performance.now();
  const { head, history, bestEpoch } = await fit(data, parts.train, parts.validation, plan, {
    maxEpochs: epochs,
    patience: epochs,
    ...given,
    onEpoch: ({ epoch, trainLoss, validationLoss, validationAccuracy }) =>
      console.error(
        `${name}, epoch ${epoch}: ${trainLoss.toFixed(4)} ${validationLoss.toFixed(4)} ` +
          `${validationAccuracy.toFixed(4)}, ${((performance.now() - start) / 1000).toFixed(0)} s`,
      ),
  });
  const seconds = (performance.now() - start) / 1000;
  const right = parts.test.filter((row) => answer(head, plan, data, row) === data.targets[row]);
  const accuracy = right.length / parts.test.length;
  printRow(
    name,
    `${bestEpoch} of ${history.length}`,
    `${(seconds / history.length).toFixed(1)} s`,
    `${(100 * accuracy).toFixed(2)} %`,
    `${(100 * bayes).toFixed(2)} %`,
    `${(100 * (bayes - accuracy)).toFixed(2)} points`,
    await peakMemory(),
  );
}

function answer(head: Head, plan: HeadPlan, { embeddings, size }: FitData, row: number): number {
  const embedding = embeddings.subarray(row * size, (row + 1) * size);
  const logits = head.kind === "contrastive" && plan.kind === "contrastive"
    ? contrastiveLogits(head, embedding, plan.prompts)
    : head.kind === "cross-entropy"
    ? crossEntropyLogits(head, embedding)
    : new Float64Array();
  return logits.indexOf(Math.max(...logits));
}

/** Directions that have nothing to do with the classes' means: all of it has to be learnt. */
function drawPrompts(random: Random): Prompts {
  const vectors = Array.from(
    { length: CLASSES },
    () => [...unitVector(Float64Array.from({ length: SIZE }, () => random.normal()))],
  );
  return { count: CLASSES, size: SIZE, vectors: Float32Array.from(vectors.flat()) };
}

const random = new Random(1);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const prompts = drawPrompts(random);
const classes = drawClasses(CLASSES, SIZE, SPREAD, random);
const [validation, test] = [10_000, 20_000];
const drawn = drawExamples(classes, examples + validation + test, random);
const data: FitData = { ...drawn, size: SIZE, classes: CLASSES };
const parts = {
  train: range(0, examples),
  validation: range(examples, examples + validation),
  test: range(examples + validation, examples + validation + test),
};
const contrastive: HeadPlan = { kind: "contrastive", prompts };
console.log(
  `${examples} training examples of ${SIZE} numbers, ${CLASSES} labels, batches of ${BATCH}. ` +
    `All examples take ${Math.round(data.embeddings.byteLength / 2 ** 20)} MiB.\n`,
);
if (!options["fit-only"]) {
  printHeader(
    "loss",
    "our step",
    "an epoch",
    "theirs",
    "a step",
    "an epoch",
    "ours/theirs",
    "by CPU time",
  );
  await compareSpeed(data, { kind: "cross-entropy" });
  await compareSpeed(data, contrastive);
  console.log();
}
if (!options["speed-only"]) {
  const onTest = bayesAccuracy(classes, data, examples + validation);
  printHeader("head", "best epoch", "an epoch", "on test", "nearest mean", "less", "peak memory");
  const paper = { preset: "paper", schedule: "cosine" } as const;
  // Examples vary as much in every direction, which CLIP's do not: without decay, what is learnt by heart costs a point.
  const decay = { ...paper, weightDecay: 3 };
  const crossEntropy: HeadPlan = { kind: "cross-entropy" };
  await measureFit("cross-entropy, decay 3", data, parts, onTest, crossEntropy, decay);
  await measureFit("contrastive", data, parts, onTest, contrastive, paper);
  const fresh = bayesAccuracy(classes, drawExamples(classes, 50_000, new Random(2)));
  console.log(`\nBayes rate: ${(100 * fresh).toFixed(2)} %, by 50000 fresh examples.`);
}
