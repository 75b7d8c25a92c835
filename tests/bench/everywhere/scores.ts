/**
 * How far scores of the same pictures and the same bundle are apart, by what computes them: WebAssembly in Deno, machine code,
 * and workerd.
 */

import { type Classifier, createClassifier, type Method, type ModelInfo } from "@clip-e/edge";
import { METHODS } from "../../../edge/model_info.ts";
import { folderSource } from "@clip-e/edge/deno";
import { chooseRuntime } from "../../../edge/adapter/deno/choose_runtime.ts";
import { classifyOverHttp } from "../../e2e/classify_over_http.ts";
import { ROOT } from "../../e2e/task_command.ts";
import { findMissingWrangler, startConfiguredWorker } from "../../e2e/worker_process.ts";
import { isNativeInstalled } from "../../native_installed.ts";

/** What is compared with WebAssembly in Deno: other machines, or the same one with the weights as they were before rounding. */
export type Other = "native" | "workerd" | "float weights";

/** What to compare. */
export interface Subject {
  /** What people call it. */
  readonly name: string;
  /** The bundle's folder, relative to the project. */
  readonly bundle: string;
  /** Where its weights are rounded, the bundle that it was made of. */
  readonly float?: string;
  /** Whether it is too large for a Worker. */
  readonly isLarge?: boolean;
}

/** What was measured of a method. */
export interface ScoreRow {
  /** What was compared. */
  readonly subject: string;
  /** What computed, beside WebAssembly in Deno. */
  readonly other: Other;
  /** From embeddings to scores. */
  readonly method: Method;
  /** How many scores were compared. */
  readonly count: number;
  /** The largest difference. */
  readonly largest: number;
  /** The mean difference. */
  readonly mean: number;
  /** How often the best label was the same, of all answers. */
  readonly sameBest: number;
}

type Predictions = Awaited<ReturnType<Classifier["score"]>>;
type Prediction = Predictions[number];

/**
 * Compares.
 *
 * @param subject a bundle
 * @param pictures files
 * @param skip hears what is left out, and why
 */
export async function compareScores(
  subject: Subject,
  pictures: readonly Uint8Array<ArrayBuffer>[],
  skip: (what: string) => void,
): Promise<ScoreRow[]> {
  const { name, bundle, float, isLarge = false } = subject;
  const answer = async (folder: string, runtime: Runtime = {}) => {
    const source = folderSource(new URL(folder, ROOT));
    const classifier = await createClassifier({ bundle: source, ...runtime });
    const answers = await answerAll(classifier, pictures);
    await classifier.close();
    return answers;
  };
  const expected = await answer(bundle);
  const rows: ScoreRow[] = [];
  const add = (other: Other, actual: readonly Predictions[]) =>
    rows.push(...compare(expected, actual).map((row) => ({ subject: name, other, ...row })));
  if (float !== undefined) add("float weights", await answer(float));
  if (!isNativeInstalled) skip("native: deno task native:install was not run");
  else add("native", await answer(bundle, await chooseRuntime("native", { threads: 1 })));
  const missing = await findMissingWrangler();
  if (missing !== undefined) skip(`workerd: ${missing}`);
  else if (!isLarge) add("workerd", await answerInWorker(bundle, pictures));
  return rows;
}

type Runtime = Partial<Parameters<typeof createClassifier>[0]>;

function methodsOf({ taxonomies }: ModelInfo): readonly Method[] {
  const all = taxonomies.flatMap(({ methods }) => methods.map(({ method }) => method));
  return [...new Set(all)];
}

async function answerAll(
  classifier: Classifier,
  pictures: readonly Uint8Array<ArrayBuffer>[],
): Promise<Predictions[]> {
  const methods = methodsOf(classifier.model);
  const all: Predictions[] = [];
  for (const picture of pictures) {
    const { embedding } = await classifier.embed(picture.slice());
    const predictions = await Promise.all(
      methods.map(async (method) => await classifier.score(embedding, { method })),
    );
    all.push(predictions.flat());
  }
  return all;
}

async function answerInWorker(
  bundle: string,
  pictures: readonly Uint8Array<ArrayBuffer>[],
): Promise<Predictions[]> {
  const worker = await startConfiguredWorker(bundle);
  try {
    const methods = methodsOf(await fetch(`${worker.url}/v1/model`).then((r) => r.json()));
    const all: Predictions[] = [];
    for (const picture of pictures) {
      const predictions = [];
      for (const method of methods) {
        const answer = await classifyOverHttp(worker.url, picture, `method=${method}`);
        predictions.push(...answer.predictions);
      }
      all.push(predictions);
    }
    return all;
  } catch (error) {
    console.error(worker.log());
    throw error;
  } finally {
    await worker.stop();
  }
}

/** Compares answers of the same pictures, by method. */
function compare(
  expected: readonly Predictions[],
  actual: readonly Predictions[],
): Omit<ScoreRow, "subject" | "other">[] {
  const pairs = expected.flatMap((predictions, i) =>
    predictions.map((prediction) => [prediction, counterpart(prediction, actual[i])] as const)
  );
  return METHODS.flatMap((method) => {
    const ofMethod = pairs.filter(([prediction]) => prediction.method === method);
    if (ofMethod.length === 0) return [];
    const differences = ofMethod.flatMap(([{ scores }, given]) => {
      const byLabel = new Map(given.scores.map(({ label, score }) => [label, score]));
      return scores.map(({ label, score }) => Math.abs(score - (byLabel.get(label) ?? Infinity)));
    });
    const same = ofMethod.filter(([a, b]) => a.scores[0].label === b.scores[0].label);
    return [{
      method,
      count: differences.length,
      largest: differences.reduce((a, b) => Math.max(a, b)),
      mean: differences.reduce((a, b) => a + b) / differences.length,
      sameBest: same.length / ofMethod.length,
    }];
  });
}

function counterpart({ taxonomy, method }: Prediction, others: Predictions): Prediction {
  const found = others.find((other) => other.taxonomy === taxonomy && other.method === method);
  if (found) return found;
  throw new Error(`There is no answer for ${taxonomy} by ${method}`);
}
