/**
 * The entry for `deno serve`, in a process of its own, on a port that the system chooses.
 */

import { ROOT } from "./task_command.ts";

/** The project's own entry. */
export const SERVE = "edge/adapter/deno/serve.ts";

/** How it is started. */
export interface ServeOptions {
  /** The environment's `CLIP_E_...`. */
  readonly env?: Readonly<Record<string, string>>;
  /** What else `deno serve` is told, such as permissions. */
  readonly args?: readonly string[];
  /** The module, relative to the project; by default its own. */
  readonly entry?: string;
}

/** A running server. */
export interface ServeProcess {
  /** Without a slash at the end. */
  readonly url: string;
  /** What it has said until now, on both streams. */
  log(): string;
  /** Ends it. */
  stop(): Promise<void>;
}

const START_LIMIT = 60_000;

/** What it needs: its own files, and its settings. Where to listen comes with the command. */
const PERMISSIONS = ["--allow-read=.", "--allow-env=CLIP_E_*,INIT_CWD"];

/**
 * Starts it.
 *
 * @param options environment and arguments
 * @throws {Error} with what the process said, when it ends instead
 */
export async function startServe(options: ServeOptions = {}): Promise<ServeProcess> {
  // A developer's own settings stay out of tests.
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("CLIP_E_"));
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      ...["serve", "--host", "127.0.0.1", "--port", "0", "--no-prompt", ...PERMISSIONS],
      ...(options.args ?? []),
      options.entry ?? SERVE,
    ],
    cwd: ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(env), NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const process = command.spawn();
  let log = "";
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      log += text;
      const url = log.match(/Listening on (http:\S+?)\/?\n/)?.[1];
      if (url) resolve(url);
    }
  };
  const heard = Promise.all([listen(process.stdout), listen(process.stderr)]);
  const ended = Promise.all([process.status, heard]).then(() => undefined);
  const timer = setTimeout(() => process.kill("SIGKILL"), START_LIMIT);
  const url = await Promise.race([listening, ended]);
  clearTimeout(timer);
  if (url === undefined) throw new Error(`The server does not listen. It said:\n${log}`);
  return {
    url,
    log: () => log,
    stop: async () => {
      process.kill("SIGTERM");
      await ended;
    },
  };
}
