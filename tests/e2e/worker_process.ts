/**
 * The minimal Worker in workerd, started as `deno task worker:dev` does.
 */

import { listAlive, listProcessTree } from "./process_tree.ts";
import { readCall, ROOT, runTask, taskCommand } from "./task_command.ts";

/** A running Worker. */
export interface WorkerProcess {
  /** Without a slash at the end. */
  readonly url: string;
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
  const { args, env } = await readCall("worker:dev");
  const wrangler = args.findIndex((word) => word.startsWith("npm:wrangler@"));
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args.slice(0, wrangler + 1), "--version"],
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1" },
  });
  const { success, stderr } = await command.output();
  if (success) return undefined;
  const said = new TextDecoder().decode(stderr);
  return `wrangler does not start: ${said.match(/^error: .*/m)?.[0] ?? said}`;
}

/**
 * Lays out the assets and starts the Worker.
 *
 * @param bundle its folder, relative to the project
 * @throws {Error} with what was said, when it does not start
 */
export async function startWorker(bundle: string): Promise<WorkerProcess> {
  const { code, stderr } = await runTask("worker:assets", ["--bundle", bundle]);
  if (code !== 0) throw new Error(`The assets were not laid out: ${stderr}`);
  const command = await taskCommand("worker:dev", [
    ...["--port", "0"],
    "--show-interactive-dev-session=false",
  ]);
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
  if (url !== undefined) return { url, log: () => log, stop };
  await stop();
  throw new Error(`The Worker does not start. It said:\n${log}`);
}
