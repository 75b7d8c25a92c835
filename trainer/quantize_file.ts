/**
 * From a model's file to a smaller one, with all that is to be known of it: what was quantised, what had to stay, and how
 * near it is. What cannot be compared is not written either.
 */

import { TrainerError } from "./errors.ts";
import { type Fidelity, measureFidelity } from "./fidelity/measure_fidelity.ts";
import {
  type FidelityInputs,
  type FidelitySources,
  readFidelityInputs,
} from "./fidelity/inputs.ts";
import { quantizeToTarget, type TargetSearch } from "./fidelity/quantize_to_target.ts";
import { findBackends } from "./encoder/find_backends.ts";
import { type Progress, startProgress } from "./progress.ts";
import {
  modelFiles,
  type OnnxModel,
  type QuantizedModel,
  quantizeModel,
  type QuantizeOptions,
  type QuantizeReport,
} from "./quantize/mod.ts";
import { dataPathOf, openModelFile, writeModelFile } from "./quantize_files.ts";
import { userPath } from "./user_path.ts";

/** Options of {@linkcode quantizeFile}. */
export interface QuantizeFileOptions {
  /** Whether weights go into a file of their own, however small they are. */
  readonly isSplit: boolean;
  /** On what to compare the encoders; they are not compared unless given. */
  readonly comparison?: Omit<FidelitySources, "onNote"> | undefined;
  /** The least cosine to the float embedding that any picture may have. */
  readonly targetCosine?: number | undefined;
  /** The file to write the summary to, as JSON. */
  readonly report?: string | undefined;
  /** Ends the work: its reason is thrown. */
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface QuantizeSummary extends QuantizeReport {
  /** What was written, without the report. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** What stayed in floats for a target's sake. */
  readonly search?: TargetSearch;
  /** How near the model is to the one that it was made of. */
  readonly fidelity?: Fidelity;
}

/**
 * Quantises a model's file. Progress goes to stderr.
 *
 * @param input the float model's path, as the user gave it
 * @param output where to write the other
 * @param options what to make of the weights
 * @param wishes what else to do
 * @throws {TrainerError} when a file cannot be read or written, or a target cannot be met; nothing is written then
 * @throws {ClipEError} when something other than an image encoder is to be compared
 */
export async function quantizeFile(
  input: string,
  output: string,
  options: QuantizeOptions,
  wishes: QuantizeFileOptions,
): Promise<QuantizeSummary> {
  const { comparison, isSplit, report: reportPath, signal } = wishes;
  const [from, to] = [userPath(input), userPath(output)];
  const file = await openModelFile(from);
  try {
    await refuseOverwriting(file.paths, [to, dataPathOf(to), ...reportPath ? [reportPath] : []]);
    const inputs = comparison && await readFidelityInputs(from, {
      ...comparison,
      onNote: console.error,
    });
    const { model, report, search } = await quantize(file.model, options, inputs, wishes);
    const [unused] = report.unused;
    if (unused !== undefined) {
      throw new TrainerError(`Cannot keep ${unused}: no node and no weight has such a name`);
    }
    const fidelity = inputs && await compare(file.model, model, inputs, signal);
    signal.throwIfAborted();
    const { modelBytes, dataBytes } = await writeModelFile(to, model, { isSplit });
    const files = [{ path: output, bytes: modelBytes }];
    if (dataBytes > 0) files.push({ path: dataPathOf(output), bytes: dataBytes });
    const summary = { files, ...report, ...(search && { search }), ...(fidelity && { fidelity }) };
    if (reportPath !== undefined) await writeReport(reportPath, summary);
    return summary;
  } finally {
    file.close();
  }
}

async function quantize(
  model: OnnxModel,
  options: QuantizeOptions,
  inputs: FidelityInputs | undefined,
  { targetCosine: target, signal }: QuantizeFileOptions,
): Promise<QuantizedModel & { readonly search?: TargetSearch }> {
  if (!inputs || target === undefined) return await quantizeWithProgress(model, options, signal);
  const aim = { target, backends: findBackends(), onStep: console.error, signal };
  return await quantizeToTarget(model, options, inputs.pictures, aim);
}

/** Quantises with a bar, which is drawn between nodes. */
async function quantizeWithProgress(
  model: OnnxModel,
  options: QuantizeOptions,
  signal: AbortSignal,
): Promise<QuantizedModel> {
  let progress: Progress | undefined;
  let drawn = performance.now();
  try {
    return await quantizeModel(model, {
      ...options,
      async onProgress(done, total) {
        progress ??= startProgress("Quantising", total);
        progress.set(done);
        if (performance.now() - drawn < 100) return;
        await new Promise((resolve) => setTimeout(resolve));
        drawn = performance.now();
        signal.throwIfAborted();
      },
    });
  } finally {
    await progress?.stop();
  }
}

async function compare(
  float: OnnxModel,
  quantised: OnnxModel,
  { pictures, prompts }: FidelityInputs,
  signal: AbortSignal,
): Promise<Fidelity> {
  const backends = findBackends();
  const progress = startProgress("Comparing", backends.length * pictures.inputs.length);
  try {
    const [before, after] = [await modelFiles(float), await modelFiles(quantised)];
    const options = { backends, prompts, onPicture: progress.step, signal };
    return await measureFidelity(before, after, pictures, options);
  } finally {
    await progress.stop();
  }
}

async function refuseOverwriting(inputs: readonly string[], outputs: readonly string[]) {
  const taken = await Promise.all(inputs.map(realPath));
  for (const path of outputs) {
    const real = await realPath(path);
    if (taken.includes(real)) {
      throw new TrainerError(`Cannot write ${path}: the model is read from it. Name another file`);
    }
  }
  if (new Set(outputs).size < outputs.length) {
    throw new TrainerError(
      `Cannot write ${outputs.at(-1)}: it is the model's own. Name another file`,
    );
  }
}

/** The file that a path leads to, through links; the path itself where there is none. */
async function realPath(path: string): Promise<string> {
  return await Deno.realPath(path).catch(() => path);
}

async function writeReport(path: string, summary: QuantizeSummary): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(summary, null, 2) + "\n").catch((cause) => {
    throw new TrainerError(`Cannot write the report ${path}: ${cause.message}`, { cause });
  });
}
