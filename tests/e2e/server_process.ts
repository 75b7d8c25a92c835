/**
 * A server as a user starts one: `deno task start` in a process of its own, on a port that the system chooses.
 */

import { updatePage } from "./build_page.ts";
import { taskCommand } from "./task_command.ts";

/** A running server. */
export interface ServerProcess {
  /** Without a slash at the end. */
  readonly url: string;
  /** Where raw connections go. */
  readonly port: number;
  /** Of the process. */
  readonly pid: number;
  /** What it has said until now, on both streams. */
  log(): string;
  /** Asks it to end, as Ctrl-C does, and waits until it has. Once it has ended, says only how. */
  stop(): Promise<Deno.CommandStatus>;
}

const START_LIMIT = 60_000;

/**
 * Starts a server and waits until it listens.
 *
 * @param bundle its folder, relative to the project; `undefined` for the one that the project brings
 * @param args more options
 * @throws {Error} with what the process said, when it ends instead
 */
export async function startServer(
  bundle: string | undefined,
  ...args: string[]
): Promise<ServerProcess> {
  await updatePage();
  const command = await taskCommand("start", [
    ...(bundle === undefined ? [] : ["--bundle", bundle]),
    ...["--port", "0"],
    ...args,
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
  const ended = Promise.all([process.status, heard]).then(([status]) => status);
  let isEnded = false;
  ended.then(() => isEnded = true);

  const address = await new Promise<RegExpMatchArray>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The server ${why}. It said:\n${log}`));
    const timer = setTimeout(() => {
      process.kill("SIGKILL");
      fail("does not listen");
    }, START_LIMIT);
    hear = () => {
      const match = log.match(/ on (http:\/\/\S+:(\d+))\n/);
      if (match) resolve(match);
    };
    ended.then(({ code }) => fail(`ended with ${code}`)).finally(() => clearTimeout(timer));
    hear();
  });
  return {
    url: address[1],
    port: Number(address[2]),
    pid: process.pid,
    log: () => log,
    stop: async () => {
      if (!isEnded) process.kill("SIGINT");
      return await ended;
    },
  };
}
