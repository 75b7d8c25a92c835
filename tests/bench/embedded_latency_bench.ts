/**
 * How long the embedded bundle's image encoder takes beside the 8-bit image tower of a small CLIP, ViT-8M/16 with random
 * weights, in one run: `deno task bench:embedded-latency`. On WebAssembly with one thread, in this process and in workerd.
 *
 * Clocks stand still inside an isolate, so that a Worker is timed from outside, in two ways. **Encoding** is what a request
 * that encodes many times takes more than one that encodes once, divided by how many more: network, wrangler's proxy and what
 * else a request takes are the same in both. **Whole requests** are those that people send; beside them stand those to the
 * same bundle with an encoder that costs next to nothing, of the same input and output, and what remains without them.
 *
 * All take turns, and both encoders are timed for about as long, in Deno too, so that what else the machine does falls on both
 * alike. Read the ratios.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import {
  goldenInput,
  type Manifest,
  MANIFEST_PATH,
  readManifest,
  writeManifest,
} from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { BUNDLE_FLAG, bundleFolder } from "../../edge/adapter/deno/user_path.ts";
import { preprocessingOf } from "../../edge/proven_encoder.ts";
import { readBundleFolder } from "../../trainer/bundle/bundle_folder.ts";
import type { ModelFiles } from "../../trainer/quantize/mod.ts";
import { findMissingWrangler } from "../e2e/worker_process.ts";
import { readPicture } from "../golden_file.ts";
import type { BundleFiles } from "../synthetic_bundle.ts";
import { startEncodingWorker } from "./quantized_latency/encoding_worker.ts";
import { makeTowers } from "./quantized_latency/towers.ts";
import { median, takeTurns, type Times } from "./quantized_latency/turns.ts";
import { makeBundle, makeIdleTwin } from "./quantized_latency/worker_bundle.ts";

const COMMAND = {
  name: "deno task bench:embedded-latency",
  description: "Measures a bundle's image encoder beside a small CLIP's, in Deno and in workerd.",
  flags: {
    bundle: BUNDLE_FLAG,
    rounds: { kind: "integer", min: 1, default: 31, help: "Counted, after three to warm up" },
  },
} as const;

const TOWER = "int8-dynamic";
/** Small, so that a request is little more than its encoding. */
const PICTURE = "small.jpg";

/** How long encodings are timed in a row, in milliseconds: both encoders as long, so that other work interrupts both alike. */
const ROW = 500;
/** How often each encodes to find out how many that are. */
const TRIES = 5;

/** What is compared. */
const SUBJECTS = ["bundle", "int8 ViT-8M/16"] as const;
type Subject = typeof SUBJECTS[number];
/** What is asked of a Worker. */
type Asked = "once" | "often" | "whole" | "idle";

interface Served {
  readonly files: BundleFiles;
  readonly manifest: Manifest;
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const { bundle: folder, rounds } = line.values;
  const bundle = await readBundleFolder(bundleFolder(folder));
  if (!bundle) throw new Error(`There is no bundle in ${bundleFolder(folder)}`);
  const { manifest } = bundle;
  const files = new Map([...bundle.files, [MANIFEST_PATH, writeManifest(manifest)]]);
  const tower = (await makeTowers("vit-8m-16", [TOWER])).get(TOWER);
  if (!tower) throw new TypeError(`There is no tower ${TOWER}`);

  const titles = ["where", ...SUBJECTS.map((subject) => `${subject}, ms`), "ratio"];
  console.log(`${manifest.name}, medians of ${rounds} rounds\n`);
  console.log(`| ${titles.join(" | ")} |\n| --- | ---: | ---: | ---: |`);
  const served = { "bundle": { files, manifest }, "int8 ViT-8M/16": await serve(tower) };
  const { more, here } = await measureHere(served, rounds);
  print("Deno, encoding", here);

  const missing = await findMissingWrangler();
  if (missing !== undefined) return console.error(`Left out: workerd; ${missing}`);
  const times = await measureWorkers(served, more, rounds);
  const timesOf = (subject: Subject, asked: Asked) => times.get(nameOf(subject, asked)) ?? [];
  const each = (figure: (subject: Subject, i: number) => number) => SUBJECTS.map(figure);
  const encoding = (subject: Subject, i: number) => {
    const once = timesOf(subject, "once");
    return median(timesOf(subject, "often").map((ms, round) => (ms - once[round]) / more[i]));
  };
  const whole = each((subject) => median(timesOf(subject, "whole")));
  const idle = each((subject) => median(timesOf(subject, "idle")));
  print("workerd, encoding", each(encoding));
  print("workerd, whole request", whole);
  print("the same, encoder idle", idle);
  print("whole less idle", whole.map((ms, i) => ms - idle[i]));
}

/** The tower in the synthetic bundle. */
async function serve(tower: ModelFiles): Promise<Served> {
  const files = await makeBundle(tower, TOWER);
  const { manifest } = await readManifest({ read: (path) => Promise.resolve(files.get(path)) });
  return { files, manifest };
}

/** @returns `more`, how many encodings of each make a row, and how long one takes */
async function measureHere(
  served: Readonly<Record<Subject, Served>>,
  rounds: number,
): Promise<{ more: number[]; here: number[] }> {
  await using stack = new AsyncDisposableStack();
  const runs = new Map<string, () => Promise<unknown>>();
  for (const subject of SUBJECTS) {
    const { files, manifest } = served[subject];
    const entry = manifest.encoders.find(({ backends }) => backends.includes("wasm"));
    const model = entry && files.get(entry.file.path);
    if (!model) throw new Error(`${manifest.name} has no encoder for WebAssembly`);
    const encoder = await openEncoder(model, entry.input.crop, { backend: wasmBackend });
    stack.defer(() => encoder.close());
    const pixels = goldenInput(preprocessingOf(entry));
    runs.set(subject, () => encoder.encode(pixels));
  }
  const medians = (times: Times) => SUBJECTS.map((subject) => median(times.get(subject) ?? []));
  const more = medians(await takeTurns(runs, TRIES)).map((ms) => Math.ceil(ROW / ms));
  const rows = SUBJECTS.map((subject, i) =>
    [subject, async () => {
      for (let k = 0; k < more[i]; k++) await runs.get(subject)?.();
    }] as const
  );
  const times = medians(await takeTurns(new Map(rows), rounds));
  return { more, here: times.map((ms, i) => ms / more[i]) };
}

/** @param more how many encodings of each make a row */
async function measureWorkers(
  served: Readonly<Record<Subject, Served>>,
  more: readonly number[],
  rounds: number,
): Promise<Times> {
  const picture = await readPicture(PICTURE);
  await using stack = new AsyncDisposableStack();
  const runs = new Map<string, () => Promise<unknown>>();
  for (const [i, subject] of SUBJECTS.entries()) {
    const { files, manifest } = served[subject];
    const worker = stack.use(await startEncodingWorker(files));
    const idle = stack.use(await startEncodingWorker(await makeIdleTwin(files, manifest)));
    runs.set(nameOf(subject, "once"), () => worker.encode(1));
    runs.set(nameOf(subject, "often"), () => worker.encode(1 + more[i]));
    runs.set(nameOf(subject, "whole"), () => worker.classify(picture));
    runs.set(nameOf(subject, "idle"), () => idle.classify(picture));
  }
  return await takeTurns(runs, rounds);
}

const nameOf = (subject: Subject, asked: Asked) => `${subject}, ${asked}`;

function print(where: string, [ours, theirs]: readonly number[]): void {
  const ratio = (ours / theirs).toFixed(3);
  console.log(`| ${where} | ${ours.toFixed(1)} | ${theirs.toFixed(1)} | ${ratio} |`);
}

if (import.meta.main) {
  await main();
  // Runtimes keep threads.
  Deno.exit();
}
