/**
 * The Worker in workerd: started as `deno task worker:dev` does, or with assets and a configuration of its own.
 */

import { folderSource } from "../../edge/adapter/deno/folder_source.ts";
import { layOutAssets } from "../../edge/adapter/workerd/build/lay_out_assets.ts";
import { TEMPLATE } from "../../edge/adapter/workerd/build/places.ts";
import { makeWorkerConfig } from "../../edge/adapter/workerd/build/worker_config.ts";
import { fileURLToPath } from "node:url";
import { buildPage } from "./build_page.ts";
import { listAlive, listProcessTree } from "./process_tree.ts";
import { readCall, ROOT, runTask, taskCommand } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

/** A running Worker. */
export interface WorkerProcess {
  /** Without a slash at the end. */
  readonly url: string;
  /** Of wrangler, which starts others. */
  readonly pid: number;
  /** What it has said until now. */
  log(): string;
  /**
   * Ends it.
   *
   * @returns ids of processes that had to be killed, of which there should be none
   */
  stop(): Promise<number[]>;
}

const START_LIMIT = 60_000;
const STOP_LIMIT = 10_000;

/**
 * Asks whether wrangler is installed, or can be.
 *
 * @returns why not; `undefined` when it is
 */
export async function findMissingWrangler(): Promise<string | undefined> {
  if (Deno.build.os === "windows") return "wrangler's processes are ended by signals here";
  const { success, stderr } = await (await wranglerCommand(["--version"])).output();
  if (success) return undefined;
  const said = new TextDecoder().decode(stderr);
  return `wrangler does not start: ${said.match(/^error: .*/m)?.[0] ?? said}`;
}

/**
 * Makes a call of wrangler, of the version and with the environment that `deno task worker:dev` gives it.
 *
 * @param args what it is to do
 */
export async function wranglerCommand(args: readonly string[]): Promise<Deno.Command> {
  const call = await readCall("worker:dev");
  const wrangler = call.args.findIndex((word) => word.startsWith("npm:wrangler@"));
  return new Deno.Command(Deno.execPath(), {
    args: [...call.args.slice(0, wrangler + 1), ...args],
    cwd: ROOT,
    env: { ...call.env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

const QUIETLY = ["--port", "0", "--show-interactive-dev-session=false"];

/**
 * Lays out the assets and starts the Worker, both by their tasks.
 *
 * @param bundle its folder, relative to the project
 * @throws {Error} with what was said, when it does not start
 */
export async function startWorker(bundle: string): Promise<WorkerProcess> {
  await buildPage();
  const { code, stderr } = await runTask("worker:assets", ["--bundle", bundle]);
  if (code !== 0) throw new Error(`The assets were not laid out: ${stderr}`);
  return await spawnWorker(await taskCommand("worker:dev", QUIETLY));
}

/** A configuration of wrangler's, as far as tests change it. */
export interface WorkerConfig {
  /** The entry. */
  readonly main: string;
  /** The environment. */
  readonly vars: Readonly<Record<string, string>>;
  /** Anything else. */
  readonly [name: string]: unknown;
}

/** A Worker with assets and a configuration of its own. */
export interface ConfiguredWorker extends WorkerProcess {
  /** Holds the configuration `wrangler.json` and what wrangler keeps; it goes when the Worker does. */
  readonly folder: string;
  /** Where V8's inspector listens. */
  readonly inspectorPort: number;
}

/**
 * Starts a Worker beside others, as it is deployed: with the digest of its bundle pinned.
 *
 * @param bundle its folder, relative to the project
 * @param change makes another configuration of the one that is deployed, and may write files into the folder
 * @throws {Error} with what was said, when it does not start
 */
export async function startConfiguredWorker(
  bundle: string,
  change: (config: WorkerConfig, folder: string) => WorkerConfig | Promise<WorkerConfig> = (c) => c,
): Promise<ConfiguredWorker> {
  const temporary = await makeTemporaryFolder("worker");
  const folder = fileURLToPath(temporary.url);
  try {
    const assets = `${folder}assets`;
    await buildPage();
    const { digest } = await layOutAssets(folderSource(new URL(bundle, ROOT)), assets, () => {});
    const config = JSON.parse(await makeWorkerConfig({ template: TEMPLATE, assets, digest }));
    const file = `${folder}wrangler.json`;
    await Deno.writeTextFile(file, JSON.stringify(await change(config, folder)));
    const inspectorPort = findFreePort();
    const args = ["dev", "-c", file, "--inspector-port", String(inspectorPort), ...QUIETLY];
    const worker = await spawnWorker(await wranglerCommand(args));
    const stop = async () => {
      const alive = await worker.stop();
      await temporary.remove();
      return alive;
    };
    return { ...worker, stop, folder, inspectorPort };
  } catch (error) {
    await temporary.remove();
    throw error;
  }
}

/** One that is free now: wrangler does not say which one it would choose. */
function findFreePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** wrangler looks for free ports of its own, and another process may take one before it does. */
const ATTEMPTS = 3;

async function spawnWorker(command: Deno.Command): Promise<WorkerProcess> {
  for (let attempt = 1;; attempt++) {
    try {
      return await spawnOnce(command);
    } catch (error) {
      const isPortTaken = error instanceof Error &&
        error.message.includes("Address already in use");
      if (!isPortTaken || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Waits until it listens. */
async function spawnOnce(command: Deno.Command): Promise<WorkerProcess> {
  const process = command.spawn();
  let log = "";
  let hear = () => {};
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      log += text;
      hear();
    }
  };
  const heard = Promise.all([listen(process.stdout), listen(process.stderr)]);

  async function stop(): Promise<number[]> {
    const tree = await listProcessTree(process.pid);
    if (tree.length > 0) process.kill("SIGTERM");
    const limit = performance.now() + STOP_LIMIT;
    let alive = tree;
    while (alive.length > 0 && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      alive = await listAlive(alive);
    }
    for (const id of alive) Deno.kill(id, "SIGKILL");
    await Promise.all([process.status, heard]);
    return alive;
  }

  const ready = new Promise<string>((resolve) => {
    hear = () => {
      const url = log.match(/Ready on (http:\/\/\S+)/)?.[1];
      if (url) resolve(url);
    };
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), START_LIMIT);
  });
  const url = await Promise.race([ready, late, process.status.then(() => undefined)]);
  clearTimeout(timer);
  if (url !== undefined) return { url, pid: process.pid, log: () => log, stop };
  await stop();
  throw new Error(`The Worker does not start. It said:\n${log}`);
}
