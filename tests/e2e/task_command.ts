/**
 * The project's commands, run as a user's `deno task` would run them: with the very permissions that `deno.json` grants, so
 * that a test which passes says that they are enough.
 */

/** Where the project is. */
export const ROOT = new URL("../../", import.meta.url);

/** How a command ended. */
export interface TaskResult {
  /** Its exit code. */
  readonly code: number;
  /** What it printed. */
  readonly stdout: string;
  /** What it complained of. */
  readonly stderr: string;
}

/**
 * Makes a task's command; of a task of several steps, the last.
 *
 * @param task its name in `deno.json`
 * @param args what a user writes after it
 * @param options for the process
 * @throws {Error} when there is no such task, or its last step is no plain call of `deno`
 */
export async function taskCommand(
  task: string,
  args: readonly string[],
  options: Pick<Deno.CommandOptions, "stdin" | "signal" | "env"> = {},
): Promise<Deno.Command> {
  const call = await readCall(task);
  // A developer's own settings stay out of tests.
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("CLIP_E_"));
  return new Deno.Command(Deno.execPath(), {
    args: [...call.args, ...args],
    cwd: ROOT,
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
    env: { ...Object.fromEntries(env), ...call.env, ...options.env },
  });
}

/** A call of `deno`. */
export interface DenoCall {
  /** What it finds in the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Its arguments. */
  readonly args: readonly string[];
}

/**
 * Reads `step && NAME=value deno run ...`, as far as `deno.json` needs it.
 *
 * @param task its name in `deno.json`
 * @returns the last step
 * @throws {Error} when there is no such task, or its last step is no plain call of `deno`
 */
export async function readCall(task: string): Promise<DenoCall> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const line: unknown = tasks[task]?.command ?? tasks[task];
  if (typeof line !== "string") throw new Error(`Cannot run the task ${task}: there is none`);
  const words = line.split("&&").at(-1)?.trim().split(/\s+/) ?? [];
  const start = words.indexOf("deno");
  const assignments = words.slice(0, start).map((word) => word.match(/^(\w+)=(\w*)$/));
  const args = words.slice(start + 1).map((word) => word.replace(/^"(.*)"$/, "$1"));
  if (start < 0 || args.some((word) => /[&|;<>$"'`\\]/.test(word))) {
    throw new Error(
      `Cannot run the task ${task}: it does not end in a plain call of deno: ${line}`,
    );
  }
  const env = assignments.map((match) => {
    if (match) return [match[1], match[2]];
    throw new Error(`Cannot run the task ${task}: a word before deno is no assignment: ${line}`);
  });
  return { env: Object.fromEntries(env), args };
}

/**
 * Runs a task to its end.
 *
 * @param task its name in `deno.json`
 * @param args what a user writes after it
 * @param options what it reads from stdin, and after how many milliseconds it is ended, if ever
 */
export async function runTask(
  task: string,
  args: readonly string[],
  options: { readonly input?: Uint8Array<ArrayBuffer>; readonly timeout?: number } = {},
): Promise<TaskResult> {
  const { input, timeout } = options;
  const command = await taskCommand(task, args, {
    stdin: input ? "piped" : "null",
    ...(timeout !== undefined && { signal: AbortSignal.timeout(timeout) }),
  });
  const process = command.spawn();
  if (input) await new Blob([input]).stream().pipeTo(process.stdin);
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
