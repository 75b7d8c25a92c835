/**
 * The same answers everywhere, and how fast: `deno task bench:everywhere`. Scores of photographs by WebAssembly in Deno, by
 * machine code and by workerd; native beside WebAssembly; batches; and pools of workers. It fails when scores are further
 * apart, or native less fast, than is promised.
 *
 * The photographs are OASIS's, in a folder `shared` beside the checkout; without them there is nothing to compare scores of.
 */

import { openNativeBackend } from "@clip-e/edge/native";
import { wasmBackend } from "@clip-e/edge/encoder";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { ROOT } from "../e2e/task_command.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";
import { readPicture } from "../golden_file.ts";
import { isNativeInstalled } from "../native_installed.ts";
import { writeBundleFiles } from "../synthetic_bundle.ts";
import { type BatchRow, measureBatches } from "./everywhere/batches.ts";
import { measureLatency } from "./everywhere/latency.ts";
import { measurePools, type PoolShape } from "./everywhere/pools.ts";
import { printTable } from "./everywhere/print_table.ts";
import { makeRandomBundle } from "./everywhere/random_bundle.ts";
import { compareScores, type ScoreRow, type Subject } from "./everywhere/scores.ts";
import { makeTowers } from "./quantized_latency/towers.ts";

const PARTS = ["scores", "latency", "batches", "pools"] as const;

const COMMAND = {
  name: "deno task bench:everywhere",
  description: "Compares answers and times of what computes them.",
  flags: {
    part: { kind: "strings", value: "NAME", help: `Only this: ${PARTS.join(", ")}` },
    pictures: {
      kind: "integer",
      min: 1,
      default: 100,
      help: "Photographs whose scores to compare",
    },
    rounds: { kind: "integer", min: 1, default: 15, help: "Counted, after three to warm up" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

const OASIS = new URL("../../../shared/data/oasis/images/", import.meta.url);
const EMBEDDED = "fixtures/bundles/tiny";
/** How many times faster native has to be. */
const LEAST_RATIO = 4;
const CORES = navigator.hardwareConcurrency;

const progress = (what: string) => console.error(what);
const skip = (what: string) => console.error(`Left out: ${what}`);
const faults: string[] = [];

/** Photographs spread evenly over the data set, which is sorted by theme. */
async function readPhotographs(count: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const entries = await Array.fromAsync(Deno.readDir(OASIS)).catch(() => []);
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".jpg")).sort();
  const step = Math.max(1, names.length / count);
  const chosen = names.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
  return await Promise.all(
    chosen.slice(0, count).map((name) => Deno.readFile(new URL(name, OASIS))),
  );
}

async function scores({ pictures }: Options): Promise<void> {
  const photographs = await readPhotographs(pictures);
  if (photographs.length === 0) {
    return skip(`scores: there are no photographs in ${OASIS.pathname}`);
  }
  const [float, int8] = [await makeTemporaryFolder("float"), await makeTemporaryFolder("int8")];
  const subjects: readonly Subject[] = [
    { name: "embedded", bundle: EMBEDDED },
    { name: "ViT-8M/16 float", bundle: float.path, isLarge: true },
    { name: "ViT-8M/16 int8", bundle: int8.path, float: float.path },
  ];
  const rows: ScoreRow[] = [];
  try {
    await writeBundleFiles(await makeRandomBundle("vit-8m-16", "float"), float.url);
    await writeBundleFiles(await makeRandomBundle("vit-8m-16", "int8-dynamic"), int8.url);
    for (const subject of subjects) {
      progress(`Comparing scores of ${photographs.length} photographs, ${subject.name} ...`);
      rows.push(...await compareScores(subject, photographs, skip));
    }
  } finally {
    await float.remove();
    await int8.remove();
  }
  printTable(`Scores of ${photographs.length} photographs beside WebAssembly in Deno`, rows, {
    bundle: ({ subject }) => subject,
    beside: ({ other }) => other,
    method: ({ method }) => method,
    scores: ({ count }) => String(count),
    "largest difference": ({ largest }) => largest.toExponential(1),
    "at most": (row) => limitOf(row, rows)?.toExponential(0) ?? "",
    mean: ({ mean }) => mean.toExponential(1),
    "same best label": ({ sameBest }) => `${(100 * sameBest).toFixed(1)} %`,
  });
  for (const row of rows) {
    if (row.largest <= (limitOf(row, rows) ?? Infinity)) continue;
    const off = row.largest.toExponential(1);
    faults.push(`${row.subject} beside ${row.other}, ${row.method}: a score is off by ${off}`);
  }
}

/**
 * How far scores may be apart. Where activations are rounded to 8 bits, a float's last bit decides some roundings, and then
 * these the next ones: there native and WebAssembly may each be as far from floats as rounding is, on either side.
 */
function limitOf({ subject, other, method }: ScoreRow, rows: readonly ScoreRow[]) {
  if (other === "float weights") return undefined;
  if (other === "workerd") return 1e-5;
  const rounding = rows.find((row) =>
    row.subject === subject && row.other === "float weights" && row.method === method
  );
  return Math.max(5e-3, 2 * (rounding?.largest ?? 0));
}

async function latency({ rounds }: Options): Promise<void> {
  if (!isNativeInstalled) return skip("latency: deno task native:install was not run");
  progress("Measuring native beside WebAssembly ...");
  const rows = await measureLatency([...new Set([1, CORES])], rounds);
  printTable(`One picture through ViT-B/32's image tower, medians of ${rounds}`, rows, {
    weights: ({ precision }) => precision,
    "native threads": ({ threads }) => String(threads),
    "WebAssembly ms": ({ wasm }) => wasm.toFixed(1),
    "native ms": ({ native }) => native.toFixed(1),
    "times faster": ({ ratio }) => ratio.toFixed(1),
  });
  for (const { precision, threads, ratio } of rows) {
    if (threads > 1 || ratio >= LEAST_RATIO) continue;
    faults.push(`${precision} on one thread: native is only ${ratio.toFixed(1)} times faster`);
  }
}

async function batches({ rounds }: Options): Promise<void> {
  const towers = await makeTowers("vit-b-32", ["int8-dynamic"]);
  const sizes = [1, 2, 4, 8];
  const rows: (BatchRow & { where: string })[] = [];
  for (const [kind, tower] of towers) {
    const backends = [
      wasmBackend,
      ...(isNativeInstalled ? [openNativeBackend({ threads: 1 })] : []),
    ];
    for (const backend of backends) {
      progress(`Measuring batches, ${kind} on ${backend.name} ...`);
      const fewer = backend === wasmBackend ? Math.ceil(rounds / 3) : rounds;
      const measured = await measureBatches(tower, backend, sizes, fewer);
      for (const row of measured) rows.push({ ...row, where: `${kind} on ${backend.name}` });
    }
  }
  const alone = (where: string) => rows.find((row) => row.where === where)?.milliseconds ?? NaN;
  printTable("Pictures encoded together, ViT-B/32's image tower, one thread", rows, {
    encoder: ({ where }) => where,
    pictures: ({ size }) => String(size),
    "ms each": ({ milliseconds }) => milliseconds.toFixed(1),
    "beside alone": ({ where, milliseconds }) => (milliseconds / alone(where)).toFixed(2),
    "embedding off by": ({ drift }) => drift === 0 ? "0" : drift.toExponential(1),
  });
}

async function pools({ rounds }: Options): Promise<void> {
  progress("Measuring pools ...");
  const native: PoolShape[] = [[1, 1], [1, CORES], [CORES, 1], [CORES, CORES], [2 * CORES, 1]]
    .map(([workers, threads]) => ({ backend: "native", workers, threads }));
  const wasm: PoolShape[] = [1, CORES, 2 * CORES]
    .map((workers) => ({ backend: "wasm", workers, threads: 1 }));
  const shapes = [...(isNativeInstalled ? native : []), ...wasm];
  const picture = await readPicture("storm.jpg");
  const rows = await measurePools(await makeRandomBundle("vit-b-32"), picture, shapes, rounds);
  printTable(`Pools on ${CORES} cores, ViT-B/32 int8, a JPEG of 1024 x 683`, rows, {
    backend: ({ backend }) => backend,
    workers: ({ workers }) => String(workers),
    "threads of each": ({ threads }) => String(threads),
    "pictures a second": ({ throughput }) => throughput.toFixed(1),
    "ms when idle": ({ latency }) => latency.toFixed(1),
    "ms to open": ({ start }) => start.toFixed(0),
  });
}

const MEASURE = { scores, latency, batches, pools };

const line = readCommandLine(COMMAND, Deno.args);
if ("help" in line) console.log(line.help);
else {
  const wanted = line.values.part;
  const unknown = wanted.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) throw new UsageError(`There is no part ${unknown}`);
  Deno.chdir(ROOT);
  for (const part of PARTS) {
    if (wanted.length === 0 || wanted.includes(part)) await MEASURE[part](line.values);
  }
  for (const fault of faults) console.error(`Not as promised: ${fault}`);
  // Runtimes keep threads.
  Deno.exit(faults.length > 0 ? 1 : 0);
}
