/**
 * `deno task quantize`: a float ONNX model in, a smaller one out. The straight line: file -> graph -> quantised graph -> file.
 */

import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { TrainerError } from "./errors.ts";
import { fail } from "./fail.ts";
import { type Progress, startProgress } from "./progress.ts";
import {
  QUANTIZE_MODES,
  type QuantizeMode,
  quantizeModel,
  type QuantizeOptions,
  type QuantizeReport,
} from "./quantize/mod.ts";
import { dataPathOf, openModelFile, writeModelFile } from "./quantize_files.ts";
import { userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task quantize",
  positionals: "IN.onnx OUT.onnx",
  description:
    "Makes an ONNX model smaller. Products with constant weights (MatMul, Gemm) are quantised, with a scale for each\n" +
    "output; everything else stays in 32-bit floats. The modes:\n" +
    "  int8-dynamic  computes with 8-bit integers: about 28 % of the size, and the fastest on a CPU\n" +
    "  int8-weights  stores 8-bit integers and computes in floats\n" +
    "  nbits8        the same in blocks of 32 weights (ONNX Runtime alone reads them), a little larger and more exact\n" +
    "  nbits4        the same with 4 bits: about 18 % of the size\n" +
    "  fp16          16-bit floats, for GPUs: half the size; inputs, outputs, LayerNorm and softmax stay in 32 bits",
  flags: {
    mode: { kind: "string", value: "MODE", help: `One of ${QUANTIZE_MODES.join(", ")}` },
    keep: {
      kind: "string",
      value: "PATTERN",
      help:
        "Leave nodes and weights of that name in 32-bit floats; * stands for any characters. Give it as often as needed",
    },
    conv: {
      kind: "boolean",
      help: "Quantise convolutions too; int8-dynamic computes them in integers",
    },
    convWeights: {
      kind: "boolean",
      help: "Store the filters of convolutions as integers, and compute them in floats",
    },
    gather: { kind: "boolean", help: "Quantise tables too, such as those of tokens" },
    reduceRange: {
      kind: "boolean",
      help: "Use 7 of 8 bits for weights, for CPUs without VNNI, whose sums overflow otherwise",
    },
    externalData: {
      kind: "boolean",
      help:
        "Put the weights into OUT.onnx_data beside the model, as is done above 2 GB in any case",
    },
    json: { kind: "boolean", help: "Print the report as JSON, node by node" },
  },
} as const;

type Values = FlagValues<typeof COMMAND.flags>;

/** What came of it. */
interface Summary extends QuantizeReport {
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/**
 * Takes every `--keep PATTERN` out of a command line.
 *
 * @returns the patterns, and what is left
 */
function takePatterns(args: readonly string[]): { keep: string[]; rest: string[] } {
  const keep: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const next = args[i + 1];
    if (args[i] === "--") return { keep, rest: [...rest, ...args.slice(i)] };
    if (/^--keep=./s.test(args[i])) keep.push(args[i].slice("--keep=".length));
    else if (args[i] === "--keep" && next !== undefined && next !== "") keep.push(args[++i]);
    else rest.push(args[i]);
  }
  return { keep, rest };
}

function readOptions(values: Values, keep: readonly string[]): QuantizeOptions {
  const { mode, conv, convWeights, gather, reduceRange } = values;
  const known: readonly string[] = QUANTIZE_MODES;
  if (mode === undefined) throw new UsageError("--mode is needed");
  if (!isMode(mode)) throw new UsageError(`--mode must be one of ${known.join(", ")}`);
  if (conv && convWeights) throw new UsageError("Give --conv or --conv-weights, not both");
  if (mode === "fp16" && (conv || convWeights || gather || reduceRange)) {
    throw new UsageError("The mode fp16 has no other option than --keep: it takes all that it can");
  }
  const filters = conv ? "integers" : convWeights ? "weights" : undefined;
  return { mode, keep, gather, reduceRange, ...(filters && { conv: filters }) };
}

function isMode(mode: string): mode is QuantizeMode {
  return QUANTIZE_MODES.some((known) => known === mode);
}

/** The file that a path leads to, through links; the path itself where there is none. */
async function realPath(path: string): Promise<string> {
  return await Deno.realPath(path).catch(() => path);
}

async function refuseOverwriting(out: string, inputs: readonly string[]): Promise<void> {
  const taken = await Promise.all(inputs.map(realPath));
  for (const path of [out, dataPathOf(out)]) {
    if (taken.includes(await realPath(path))) {
      throw new TrainerError(`Cannot write ${path}: the model is read from it. Name another file`);
    }
  }
}

/** Quantises with a bar, which is drawn between nodes. */
async function quantizeWithProgress(
  model: Parameters<typeof quantizeModel>[0],
  options: QuantizeOptions,
): ReturnType<typeof quantizeModel> {
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
      },
    });
  } finally {
    await progress?.stop();
  }
}

async function run(
  input: string,
  output: string,
  options: QuantizeOptions,
  isSplit: boolean,
): Promise<Summary> {
  const [from, to] = [userPath(input), userPath(output)];
  const file = await openModelFile(from);
  try {
    await refuseOverwriting(to, file.paths);
    const { model, report } = await quantizeWithProgress(file.model, options);
    const [unused] = report.unused;
    if (unused !== undefined) {
      throw new TrainerError(`Cannot keep ${unused}: no node and no weight has such a name`);
    }
    const { modelBytes, dataBytes } = await writeModelFile(to, model, { isSplit });
    const files = [{ path: output, bytes: modelBytes }];
    if (dataBytes > 0) files.push({ path: dataPathOf(output), bytes: dataBytes });
    return { files, ...report };
  } finally {
    file.close();
  }
}

/** Numbers of nodes by operator and what became of them. */
function countNodes(nodes: QuantizeReport["nodes"]): string[] {
  const counts = new Map<string, number>();
  for (const { operator, done, left } of nodes) {
    const what = `${operator}: ${done ?? `left, as ${left}`}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} ${what}`);
}

function formatSummary({ files, nodes, bytes }: Summary): string {
  const share = (100 * bytes.after / bytes.before).toFixed(1);
  const lines = files.map(({ path, bytes }) => `File   ${path} (${(bytes / 1e6).toFixed(1)} MB)`);
  lines.push(`Size   ${share} % of the model's ${(bytes.before / 1e6).toFixed(1)} MB`);
  for (const count of countNodes(nodes)) lines.push(`Nodes  ${count}`);
  return lines.join("\n");
}

async function main(): Promise<void> {
  const { keep, rest } = takePatterns(Deno.args);
  const line = readCommandLine(COMMAND, rest);
  if ("help" in line) return console.log(line.help);
  const options = readOptions(line.values, keep);
  const [input, output, ...others] = line.positionals;
  if (output === undefined || others.length > 0) {
    throw new UsageError("Name two files: the model to read and the one to write");
  }
  const summary = await run(input, output, options, line.values.externalData);
  if (!summary.nodes.some(({ done }) => done !== undefined)) {
    console.error("Nothing was quantised: the model is as it was");
  }
  console.log(line.values.json ? JSON.stringify(summary) : formatSummary(summary));
}

if (import.meta.main) await main().catch(fail);
