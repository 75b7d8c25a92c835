/**
 * `deno task quantize`, as a user calls it.
 */

const ROOT = new URL("../../../", import.meta.url);

/** The command with the permissions that it cannot do without, called in a folder of the user's. */
export function quantizeCommand(folder: string, ...args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-env=INIT_CWD",
      "trainer/quantize.ts",
      ...args,
    ],
    cwd: ROOT,
    env: { INIT_CWD: folder },
    stdout: "piped",
    stderr: "piped",
  });
}

/** What a run came to. */
export interface QuantizeRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command. */
export async function quantize(
  folder: string,
  ...args: readonly string[]
): Promise<QuantizeRun> {
  const { code, stdout, stderr } = await quantizeCommand(folder, ...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
