/**
 * How long the Worker takes beside the Deno server on WebAssembly, in one run: `deno task bench:worker`. The first answer of
 * a fresh isolate, which opens the bundle, and those after it. Read the ratios: wrangler's own servers stand between, which
 * the time of `/healthz` shows, and a deployed Worker runs on another machine, without them.
 */

import { readCommandLine } from "@clip-e/shared/command-line";
import { startServer } from "../e2e/server_process.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";
import { startConfiguredWorker } from "../e2e/worker_process.ts";
import { readPicture } from "../golden_file.ts";
import { writeBundleFiles } from "../synthetic_bundle.ts";
import { makeTowers, TITLES } from "./quantized_latency/towers.ts";
import { median, takeTurns } from "./quantized_latency/turns.ts";
import { makeBundle } from "./quantized_latency/worker_bundle.ts";

const COMMAND = {
  name: "deno task bench:worker",
  description: "Measures the Worker beside the Deno server.",
  flags: {
    rounds: { kind: "integer", min: 1, default: 40, help: "Answers that count" },
    starts: { kind: "integer", min: 1, default: 5, help: "Fresh isolates" },
  },
} as const;

const SHAPE = "vit-8m-16";
const MODE = "int8-dynamic";
const picture = await readPicture("storm.jpg");

async function classify(url: string): Promise<void> {
  const response = await fetch(`${url}/v1/classify?top=1`, { method: "POST", body: picture });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} does not answer: ${text}`);
}

async function checkHealth(url: string): Promise<void> {
  await (await fetch(`${url}/healthz`)).text();
}

async function time(run: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** First answers of fresh isolates, in milliseconds. */
async function measureFirst(bundle: string, starts: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < starts; i++) {
    const worker = await startConfiguredWorker(bundle);
    // What the servers before the isolate need for their first request is not the isolate's.
    await checkHealth(worker.url);
    times.push(await time(() => classify(worker.url)));
    await worker.stop();
  }
  return times;
}

async function measure(name: string, bundle: string, rounds: number, starts: number) {
  console.error(`Measuring ${name} ...`);
  const first = median(await measureFirst(bundle, starts));
  const worker = await startConfiguredWorker(bundle);
  const server = await startServer(bundle, "--workers", "1", "--backend", "wasm");
  try {
    const runs = [
      ["worker", () => classify(worker.url)],
      ["server", () => classify(server.url)],
      ["worker health", () => checkHealth(worker.url)],
      ["server health", () => checkHealth(server.url)],
    ] as const;
    const times = await takeTurns(new Map(runs), rounds);
    const of = (name: string) => median(times.get(name) ?? []);
    const steady = { worker: of("worker"), server: of("server") };
    const cells = [
      name,
      first.toFixed(0),
      steady.worker.toFixed(1),
      steady.server.toFixed(1),
      (first / steady.server).toFixed(1),
      (steady.worker / steady.server).toFixed(2),
      `${of("worker health").toFixed(1)} and ${of("server health").toFixed(1)}`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  } finally {
    await worker.stop();
    await server.stop();
  }
}

const line = readCommandLine(COMMAND, Deno.args);
if ("help" in line) console.log(line.help);
else {
  const { rounds, starts } = line.values;
  console.log(
    "| bundle | first ms | Worker ms | server ms | first / server | Worker / server | /healthz ms |",
  );
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
  await measure("the embedded one", "fixtures/bundles/tiny", rounds, starts);
  const tower = (await makeTowers(SHAPE, [MODE])).get(MODE);
  if (!tower) throw new Error(`${MODE} was not made`);
  const folder = await makeTemporaryFolder("worker_bench");
  try {
    await writeBundleFiles(await makeBundle(tower, "int8"), folder.url);
    await measure(`${TITLES[SHAPE]} in int8`, folder.path, rounds, starts);
  } finally {
    await folder.remove();
  }
}
