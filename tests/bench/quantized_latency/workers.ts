/**
 * The project's Worker in workerd, several side by side. It is started as `deno task worker:dev` starts it, each with assets
 * of its own, since that task's are in one folder.
 *
 * A clock inside an isolate stands still while code runs, so that requests are timed from outside.
 */

import { listAlive, listProcessTree } from "../../e2e/process_tree.ts";
import { taskCommand } from "../../e2e/task_command.ts";
import { makeTemporaryFolder } from "../../e2e/temporary_folder.ts";
import { type BundleFiles, writeBundleFiles } from "../../synthetic_bundle.ts";

/** A running Worker. */
export interface MeasuredWorker extends AsyncDisposable {
  /** Posts a picture, and waits for the whole answer. */
  classify(picture: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Ways to end a process, and for how long to wait until it has, in milliseconds. */
const ENDINGS = [["SIGTERM", 10_000], ["SIGKILL", 5_000]] as const;
const START_LIMIT = 60_000;

/**
 * Starts a Worker.
 *
 * @param bundle that it serves
 * @throws {Error} with what was said, when it does not start
 */
export async function startWorker(bundle: BundleFiles): Promise<MeasuredWorker> {
  const folder = await makeTemporaryFolder("quantized_latency");
  await writeBundleFiles(bundle, new URL("bundle/", folder.url));
  const command = await taskCommand("worker:dev", [
    ...["--assets", folder.path],
    ...["--port", "0", "--show-interactive-dev-session=false"],
  ]);
  const process = command.spawn();
  const stop = async () => {
    await endTree(process);
    await process.status;
    await folder.remove();
  };
  try {
    const url = await findUrl(process);
    return {
      async classify(body) {
        const response = await fetch(`${url}/v1/classify`, { method: "POST", body });
        const text = await response.text();
        if (!response.ok) throw new Error(`The Worker does not answer: ${text}`);
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until it says where it listens, and goes on reading: it would stop when nobody did. */
async function findUrl(process: Deno.ChildProcess): Promise<string> {
  let log = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = () => reject(new Error(`The Worker does not start. It said:\n${log}`));
  const timer = setTimeout(fail, START_LIMIT);
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      log += text;
      const url = log.match(/Ready on (http:\/\/\S+)/)?.[1];
      if (url) resolve(url);
    }
  };
  Promise.all([process.stdout, process.stderr].map(listen)).then(fail, fail);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a process and all that it started. */
async function endTree(process: Deno.ChildProcess): Promise<void> {
  let alive = await listProcessTree(process.pid);
  for (const [signal, limit] of ENDINGS) {
    // The first ends the others, if it can.
    for (const id of signal === "SIGTERM" ? alive.slice(0, 1) : alive) Deno.kill(id, signal);
    const end = performance.now() + limit;
    while (alive.length > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      alive = await listAlive(alive);
    }
  }
}
