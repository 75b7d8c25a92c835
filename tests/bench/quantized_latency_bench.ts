/**
 * How long an 8-bit image encoder takes beside the float one it was made of, in one run: `deno task bench:quantized-latency`.
 * In this process on WebAssembly and natively, one thread each, and in workerd, where whole requests are measured from
 * outside, and what they take at a Worker that does not encode, the baseline, is taken off.
 *
 * workerd on a developer's machine holds no isolate to the 128 MB that a deployed one has, and its processor is another one.
 */

import { openNativeBackend } from "@clip-e/edge/native";
import { type Backend, type BackendName, openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING, goldenInput } from "@clip-e/shared";
import { type FlagValues, readCommandLine } from "@clip-e/shared/command-line";
import { type ModelFiles, QUANTIZE_MODES, type QuantizeMode } from "../../trainer/quantize/mod.ts";
import { userPath } from "../../trainer/user_path.ts";
import { findMissingWrangler } from "../e2e/worker_process.ts";
import { readPicture } from "../golden_file.ts";
import { isNativeInstalled } from "../native_installed.ts";
import { splitWeights } from "./quantized_latency/split_weights.ts";
import { makeTowers, type ShapeName, TITLES, type TowerKind } from "./quantized_latency/towers.ts";
import {
  compare,
  type Comparison,
  median,
  takeTurns,
  type Times,
} from "./quantized_latency/turns.ts";
import { makeBundle, makeIdleEncoder } from "./quantized_latency/worker_bundle.ts";
import { startWorker } from "./quantized_latency/workers.ts";

const COMMAND = {
  name: "deno task bench:quantized-latency",
  description: "Measures quantised image encoders beside float ones.",
  flags: {
    rounds: { kind: "integer", min: 1, default: 15, help: "Counted, after three to warm up" },
    allModes: { kind: "boolean", help: "ViT-8M/16 on WebAssembly in every mode of quantize" },
    json: { kind: "string", value: "FILE", help: "Write the figures as JSON, too" },
  },
} as const;

/** What is served and built by default. */
const MODE = "int8-dynamic";
/** For the Worker, which it fits into; ViT-B/32 does not. */
const SMALL = "vit-8m-16";
/** Small, so that a request is little more than its encoding. */
const PICTURE = "small.jpg";

/** What was measured of one quantised encoder. */
interface Row extends Comparison {
  readonly shape: ShapeName;
  readonly where: BackendName | "workerd";
  /** In workerd: what was taken off each request, in milliseconds; 0 where it is the whole one. */
  readonly baseline?: number;
  readonly mode: QuantizeMode;
  /** Of the quantised model to the float one, in bytes. */
  readonly size: number;
}

type Towers = ReadonlyMap<TowerKind, ModelFiles>;

const progress = (what: string) => console.error(`${what} ...`);

/** What each mode's times say. */
function rowsOf(
  at: Pick<Row, "shape" | "where" | "baseline">,
  towers: Towers,
  times: Times,
): Row[] {
  const bytesOf = (kind: TowerKind) => towers.get(kind)?.bytes.length ?? NaN;
  return QUANTIZE_MODES.filter((mode) => towers.has(mode)).map((mode) => ({
    ...at,
    mode,
    size: bytesOf(mode) / bytesOf("float"),
    ...compare(times.get("float") ?? [], times.get(mode) ?? []),
  }));
}

async function measureEncoders(
  shape: ShapeName,
  towers: Towers,
  backend: Backend,
  rounds: number,
): Promise<Row[]> {
  progress(`Measuring ${TITLES[shape]} on ${backend.name}`);
  const pixels = goldenInput(CLIP_PREPROCESSING);
  await using stack = new AsyncDisposableStack();
  const runs = new Map<string, () => Promise<unknown>>();
  for (const [kind, { bytes, externalData }] of towers) {
    const encoder = await openEncoder(bytes, CLIP_PREPROCESSING.crop, { backend, externalData });
    stack.defer(() => encoder.close());
    runs.set(kind, () => encoder.encode(pixels));
  }
  return rowsOf({ shape, where: backend.name }, towers, await takeTurns(runs, rounds));
}

async function measureWorkers(towers: Towers, rounds: number): Promise<Row[]> {
  progress(`Measuring ${TITLES[SMALL]} in workerd`);
  const picture = await readPicture(PICTURE);
  await using stack = new AsyncDisposableStack();
  const runs = new Map<string, () => Promise<unknown>>();
  for (const [kind, model] of [["idle", makeIdleEncoder()] as const, ...towers]) {
    const worker = stack.use(await startWorker(await makeBundle(await splitWeights(model), kind)));
    runs.set(kind, () => worker.classify(picture));
  }
  const whole = await takeTurns(runs, rounds);
  const baseline = median(whole.get("idle") ?? []);
  const less = new Map([...whole].map(([kind, times]) => [kind, times.map((ms) => ms - baseline)]));
  return [
    ...rowsOf({ shape: SMALL, where: "workerd", baseline: 0 }, towers, whole),
    ...rowsOf({ shape: SMALL, where: "workerd", baseline }, towers, less),
  ];
}

async function measure({ rounds, allModes }: FlagValues<typeof COMMAND.flags>): Promise<Row[]> {
  const rows: Row[] = [];
  const modesOf = (shape: ShapeName): readonly QuantizeMode[] =>
    allModes && shape === SMALL ? QUANTIZE_MODES : [MODE];
  for (const shape of ["vit-b-32", SMALL] as const) {
    progress(`Making ${TITLES[shape]}`);
    const all = await makeTowers(shape, modesOf(shape));
    const towers = new Map([...all].filter(([kind]) => kind === "float" || kind === MODE));
    rows.push(...await measureEncoders(shape, all, wasmBackend, rounds));
    if (isNativeInstalled) {
      const native = openNativeBackend({ threads: 1 });
      rows.push(...await measureEncoders(shape, towers, native, rounds));
    } else console.error("Left out: native; deno task native:install was not run");
    if (shape !== SMALL) continue;
    const missing = await findMissingWrangler();
    if (missing === undefined) rows.push(...await measureWorkers(towers, rounds));
    else console.error(`Left out: workerd; ${missing}`);
  }
  return rows;
}

/** Prints a Markdown table. */
function print(
  rows: readonly Row[],
  columns: Readonly<Record<string, (row: Row) => string>>,
): void {
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(" | ")} |`);
  line(Object.keys(columns));
  line(Object.keys(columns).map((_, i) => i < 2 ? "---" : "---:"));
  for (const row of rows) line(Object.values(columns).map((cell) => cell(row)));
}

function backend({ where, baseline }: Row): string {
  if (baseline === undefined) return where;
  return baseline === 0 ? `${where}, whole request` : `${where}, less ${baseline.toFixed(1)} ms`;
}

const FIGURES = {
  ratio: ({ ratio }: Row) => ratio.toFixed(2),
  "middle half of rounds": ({ middleHalf }: Row) =>
    middleHalf.map((ratio) => ratio.toFixed(2)).join(" to "),
};

function report(rows: readonly Row[], rounds: number): void {
  const shape = ({ shape }: Row) => TITLES[shape];
  console.log(`Image towers with random weights, one thread, medians of ${rounds} rounds\n`);
  print(rows.filter(({ mode }) => mode === MODE), {
    shape,
    backend,
    "float ms": ({ float }) => float.toFixed(1),
    "int8 ms": ({ quantised }) => quantised.toFixed(1),
    ...FIGURES,
  });
  const every = rows.filter(({ shape, where }) => shape === SMALL && where === "wasm");
  if (every.length === 1) return;
  console.log(`\nEvery mode on wasm, the float one at ${every[0].float.toFixed(1)} ms\n`);
  print(every, {
    shape,
    mode: ({ mode }) => mode,
    size: ({ size }) => `${(100 * size).toFixed(1)} %`,
    ms: ({ quantised }) => quantised.toFixed(1),
    ...FIGURES,
  });
}

const line = readCommandLine(COMMAND, Deno.args);
if ("help" in line) console.log(line.help);
else {
  const { rounds, json } = line.values;
  const rows = await measure(line.values);
  report(rows, rounds);
  if (json !== undefined) {
    await Deno.writeTextFile(userPath(json), JSON.stringify({ rounds, rows }, undefined, 2) + "\n");
  }
  // Runtimes keep threads.
  Deno.exit(0);
}
