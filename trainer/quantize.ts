/**
 * `deno task quantize`: a float ONNX model in, a smaller one out. The straight line: file -> graph -> quantised graph -> file.
 */

import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { TrainerError } from "./errors.ts";
import { fail } from "./fail.ts";
import { MAX_PICTURES } from "./fidelity/inputs.ts";
import { formatFidelity, formatSearch } from "./fidelity/format_fidelity.ts";
import {
  QUANTIZE_MODES,
  type QuantizeMode,
  type QuantizeOptions,
  type QuantizeReport,
} from "./quantize/mod.ts";
import { quantizeFile, type QuantizeFileOptions, type QuantizeSummary } from "./quantize_file.ts";
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
      kind: "strings",
      value: "PATTERN",
      help: "Leave nodes and weights of that name in 32-bit floats; * stands for any characters",
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
    perTensor: {
      kind: "boolean",
      help: "One scale for all weights of a node, as plainer quantisers have it: to compare with",
    },
    externalData: {
      kind: "boolean",
      help:
        "Put the weights into OUT.onnx_data beside the model, as is done above 2 GB in any case",
    },
    fidelity: {
      kind: "boolean",
      help: "Compare an image encoder with the float one, on pictures of the project's own",
    },
    pictures: { kind: "string", value: "DIR", help: "Compare them on the pictures in a folder" },
    maxPictures: {
      kind: "integer",
      min: 1,
      help:
        `Compare them on so many at most (default ${MAX_PICTURES}); each takes about S*S*12 bytes of memory, S the side of ` +
        "the encoder's input",
    },
    bundle: {
      kind: "string",
      value: "DIR",
      help: "Compare them by the prompts of a bundle too, and preprocess as it does",
    },
    targetCosine: {
      kind: "number",
      min: 0,
      max: 1,
      help:
        "Keep in floats what has to be, so that no picture's embedding has a smaller cosine to the float one: 0.995",
    },
    report: { kind: "string", value: "FILE.json", help: "Write the report as JSON, too" },
    json: { kind: "boolean", help: "Print the report as JSON, node by node" },
  },
} as const;

type Values = FlagValues<typeof COMMAND.flags>;

function readOptions(values: Values): QuantizeOptions {
  const { mode, keep, conv, convWeights, gather, reduceRange, perTensor } = values;
  const known: readonly string[] = QUANTIZE_MODES;
  if (mode === undefined) throw new UsageError("--mode is needed");
  if (!isMode(mode)) throw new UsageError(`--mode must be one of ${known.join(", ")}`);
  if (conv && convWeights) throw new UsageError("Give --conv or --conv-weights, not both");
  if (mode === "fp16" && (conv || convWeights || gather || reduceRange)) {
    throw new UsageError("The mode fp16 has no other option than --keep: it takes all that it can");
  }
  if (perTensor && mode !== "int8-dynamic" && mode !== "int8-weights") {
    throw new UsageError("--per-tensor goes with the modes int8-dynamic and int8-weights");
  }
  if (mode === "fp16" && values.targetCosine !== undefined) {
    throw new UsageError("--target-cosine goes with the modes of integers");
  }
  const filters = conv ? "integers" : convWeights ? "weights" : undefined;
  return { mode, keep, gather, reduceRange, perTensor, ...(filters && { conv: filters }) };
}

function isMode(mode: string): mode is QuantizeMode {
  return QUANTIZE_MODES.some((known) => known === mode);
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

function formatSummary({ files, nodes, bytes, search, fidelity }: QuantizeSummary): string {
  const share = (100 * bytes.after / bytes.before).toFixed(1);
  const lines = files.map(({ path, bytes }) => `File   ${path} (${(bytes / 1e6).toFixed(1)} MB)`);
  lines.push(`Size   ${share} % of the model's ${(bytes.before / 1e6).toFixed(1)} MB`);
  for (const count of countNodes(nodes)) lines.push(`Nodes  ${count}`);
  if (search) lines.push("", formatSearch(search));
  if (fidelity) lines.push("", formatFidelity(fidelity));
  return lines.join("\n");
}

/** What to compare, with what, and which files to write beside the model. */
function readWishes(values: Values): Omit<QuantizeFileOptions, "signal"> {
  const { fidelity, pictures, maxPictures, bundle, targetCosine, report, externalData } = values;
  const path = (given: string | undefined) => given === undefined ? undefined : userPath(given);
  const isCompared = fidelity ||
    [pictures, maxPictures, bundle, targetCosine].some((given) => given !== undefined);
  return {
    isSplit: externalData,
    report: path(report),
    targetCosine,
    comparison: isCompared
      ? { pictures: path(pictures), maxPictures, bundle: path(bundle) }
      : undefined,
  };
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const options = readOptions(line.values);
  const [input, output, ...others] = line.positionals;
  if (output === undefined || others.length > 0) {
    throw new UsageError("Name two files: the model to read and the one to write");
  }
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    stop.abort(new TrainerError("Stopped. Models are written whole or not at all"));
  });
  const wishes = { ...readWishes(line.values), signal: stop.signal };
  const summary = await quantizeFile(input, output, options, wishes);
  if (!summary.nodes.some(({ done }) => done !== undefined)) {
    console.error("Nothing was quantised: the model is as it was");
  }
  console.log(line.values.json ? JSON.stringify(summary) : formatSummary(summary));
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
