/**
 * `deno task embed`, as a user calls it.
 */

const ROOT = new URL("../../../", import.meta.url);

/** The command with the permissions that it cannot do without, called in a folder of the user's. */
export function embedCommand(folder: string, ...args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--allow-read",
      "--allow-write",
      "--allow-env=INIT_CWD,npm_package_config_libvips,MALLOC_ARENA_MAX",
      "--allow-sys=systemMemoryInfo",
      "--allow-ffi=node_modules,edge/adapter/deno/native",
      "trainer/embed.ts",
      ...args,
    ],
    cwd: ROOT,
    env: { INIT_CWD: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** What a run came to. */
export interface EmbedCommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command. */
export async function embed(folder: string, ...args: readonly string[]): Promise<EmbedCommandRun> {
  const { code, stdout, stderr } = await embedCommand(folder, ...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
