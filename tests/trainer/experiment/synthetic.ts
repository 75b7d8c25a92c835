/**
 * Pictures that were never drawn: embeddings around a mean of each label, for tests of experiments. Labels are WEBEmo-like:
 * four fine ones, of which two and two belong to a coarse one.
 */

import type { CrossEntropyHead, Prompts } from "@clip-e/shared";
import type { Example, LabelMap, Split } from "../../../trainer/data/dataset.ts";
import type { FittedHead } from "../../../trainer/fit/fit.ts";
import type { Embedded, FitPlan } from "../../../trainer/experiment/run_experiment.ts";
import type { Task } from "../../../trainer/experiment/tasks.ts";
import { Random } from "../../../trainer/random.ts";

export const SIZE = 8;
export const FINE = ["joy", "love", "fear", "rage"];
const COARSE: LabelMap = new Map([
  ["joy", "positive"],
  ["love", "positive"],
  ["fear", "negative"],
  ["rage", "negative"],
]);

/** The mean of a label's embeddings, also its prompt: a unit vector along an axis. */
function meanOf(label: string): Float32Array {
  const mean = new Float32Array(SIZE);
  mean[FINE.indexOf(label)] = 1;
  return mean;
}

/** The fine task, and the coarse one. */
export function makeTasks(withPrompts = true): Task[] {
  const fine: Task = {
    taxonomy: { id: "fine", title: "Fine", labels: FINE.map((id) => ({ id, title: id })) },
    labelOf: new Map(FINE.map((label) => [label, label])),
    ...(withPrompts && {
      zeroShot: { prompts: promptsOf(FINE.map((label) => [label])), scoring: { temperature: 1 } },
    }),
  };
  const labels = ["negative", "positive"];
  const coarse: Task = {
    taxonomy: {
      id: "polarity",
      title: "Polarity",
      labels: labels.map((id) => ({ id, title: id })),
    },
    labelOf: COARSE,
    ...(withPrompts && {
      zeroShot: {
        prompts: promptsOf(labels.map((l) => FINE.filter((label) => COARSE.get(label) === l))),
        scoring: { temperature: 1 },
      },
    }),
  };
  return [fine, coarse];
}

function promptsOf(groups: readonly (readonly string[])[]): Prompts {
  const vectors = groups.flatMap((labels) => {
    const sum = new Float32Array(SIZE);
    for (const label of labels) meanOf(label).forEach((v, d) => sum[d] += v);
    return Array.from(sum, (v) => v / Math.hypot(...sum));
  });
  return { count: groups.length, size: SIZE, vectors: Float32Array.from(vectors) };
}

/** Pictures in groups of three, `noise` around their labels' means. */
export function makeData(
  count: number,
  { noise = 0.3, seed = 1, split }: {
    noise?: number;
    seed?: number;
    split?: (i: number) => Split;
  } = {},
): Embedded {
  const random = new Random(seed);
  const examples = Array.from({ length: count }, (_, i): Example => ({
    name: `${i}.jpg`,
    label: FINE[Math.floor(i / 3) % FINE.length],
    group: `g${Math.floor(i / 3)}`,
    ...(split && { split: split(i) }),
    read: () => Promise.reject(new Error("never read")),
  }));
  const embeddings = Float32Array.from(
    examples.flatMap(({ label }) => Array.from(meanOf(label), (m) => m + noise * random.normal())),
  );
  return { examples, embeddings, size: SIZE };
}

/** Fits a cross-entropy head in closed form: the means of its training pictures, label by label. */
export function fitMeans({ embeddings }: Embedded): (plan: FitPlan) => Promise<FittedHead> {
  return ({ trainee, targets, train }) => {
    const units = trainee.task.taxonomy.labels.length;
    const sums = new Float64Array(units * SIZE);
    const counts = new Float64Array(units);
    for (const i of train) {
      counts[targets[i]]++;
      for (let d = 0; d < SIZE; d++) sums[targets[i] * SIZE + d] += embeddings[i * SIZE + d];
    }
    // relu(x) and relu(-x), so that the hidden layer keeps all that it sees.
    const img_fc1 = {
      inputs: SIZE,
      units: 2 * SIZE,
      kernel: new Float32Array(2 * SIZE * SIZE),
      bias: new Float32Array(2 * SIZE),
    };
    const preds = {
      inputs: 2 * SIZE,
      units,
      kernel: new Float32Array(2 * SIZE * units),
      bias: new Float32Array(units),
    };
    for (let d = 0; d < SIZE; d++) {
      img_fc1.kernel[d * 2 * SIZE + d] = 1;
      img_fc1.kernel[d * 2 * SIZE + SIZE + d] = -1;
      for (let k = 0; k < units; k++) {
        const mean = sums[k * SIZE + d] / counts[k];
        preds.kernel[d * units + k] = mean;
        preds.kernel[(SIZE + d) * units + k] = -mean;
        preds.bias[k] -= mean * mean / 2;
      }
    }
    const head: CrossEntropyHead = { kind: "cross-entropy", img_fc1, preds };
    const epoch = { epoch: 1, trainLoss: 0, validationLoss: 0, validationAccuracy: 1 };
    return Promise.resolve({ head, history: [epoch], bestEpoch: 1 });
  };
}
