/**
 * How long the embedded bundle's image encoder takes beside the 8-bit image tower of a small CLIP, ViT-8M/16 with random
 * weights, in one run: `deno task bench:embedded-latency`. On WebAssembly with one thread, in this process and in workerd,
 * where whole requests are measured from outside, and what they take at a Worker that does not encode is taken off.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING, goldenInput, MANIFEST_PATH, writeManifest } from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { BUNDLE_FLAG, bundleFolder } from "../../edge/adapter/deno/user_path.ts";
import { readBundleFolder } from "../../trainer/bundle/bundle_folder.ts";
import { findMissingWrangler } from "../e2e/worker_process.ts";
import { readPicture } from "../golden_file.ts";
import { makeTowers } from "./quantized_latency/towers.ts";
import { median, takeTurns, type Times } from "./quantized_latency/turns.ts";
import { makeBundle, makeIdleEncoder } from "./quantized_latency/worker_bundle.ts";
import { startWorker } from "./quantized_latency/workers.ts";

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

/** What is compared. */
const IDLE = "idle";
const BUNDLE = "bundle";
const SMALL_CLIP = "int8 ViT-8M/16";

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const { bundle: folder, rounds } = line.values;
  const bundle = await readBundleFolder(bundleFolder(folder));
  if (!bundle) throw new Error(`There is no bundle in ${bundleFolder(folder)}`);
  const { manifest, files } = bundle;
  const ours = manifest.encoders.find(({ backends }) => backends.includes("wasm"));
  const model = ours && files.get(ours.file.path);
  if (!model) throw new Error(`${manifest.name} has no encoder for WebAssembly`);
  const tower = (await makeTowers("vit-8m-16", [TOWER])).get(TOWER);
  if (!tower) throw new TypeError(`There is no tower ${TOWER}`);

  console.log(`${manifest.name}, encoder of ${model.length} bytes, medians of ${rounds} rounds\n`);
  console.log("| where | bundle, ms | int8 ViT-8M/16, ms | ratio |\n| --- | ---: | ---: | ---: |");

  await using stack = new AsyncDisposableStack();
  const spec = { ...CLIP_PREPROCESSING, ...ours.input };
  const small = await openEncoder(model, spec.crop);
  const large = await openEncoder(tower.bytes, CLIP_PREPROCESSING.crop, { backend: wasmBackend });
  const [smallInput, largeInput] = [goldenInput(spec), goldenInput(CLIP_PREPROCESSING)];
  const here = new Map([
    [BUNDLE, () => small.encode(smallInput)],
    [SMALL_CLIP, () => large.encode(largeInput)],
  ]);
  print("Deno, encoding", await takeTurns(here, rounds), 0);
  await Promise.all([small.close(), large.close()]);

  const missing = await findMissingWrangler();
  if (missing !== undefined) return console.error(`Left out: workerd; ${missing}`);
  const picture = await readPicture(PICTURE);
  const there = new Map<string, () => Promise<unknown>>();
  const bundles = new Map([
    [IDLE, await makeBundle(makeIdleEncoder(), IDLE)],
    [BUNDLE, new Map([...files, [MANIFEST_PATH, writeManifest(manifest)]])],
    [SMALL_CLIP, await makeBundle(tower, TOWER)],
  ]);
  for (const [name, files] of bundles) {
    const worker = stack.use(await startWorker(files));
    there.set(name, () => worker.classify(picture));
  }
  const whole = await takeTurns(there, rounds);
  const idle = median(whole.get(IDLE) ?? []);
  print("workerd, whole request", whole, 0);
  print(`workerd, less ${idle.toFixed(1)} ms`, whole, idle);
}

function print(where: string, times: Times, baseline: number): void {
  const [ours, theirs] = [BUNDLE, SMALL_CLIP].map((name) =>
    median(times.get(name) ?? []) - baseline
  );
  console.log(
    `| ${where} | ${ours.toFixed(1)} | ${theirs.toFixed(1)} | ${(ours / theirs).toFixed(3)} |`,
  );
}

if (import.meta.main) {
  await main();
  // Runtimes keep threads.
  Deno.exit();
}
