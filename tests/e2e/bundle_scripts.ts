/**
 * Scripts for browsers, each with chunks of what it imports only where it needs it, as an app's own build would make them.
 */

import { basename } from "node:path";
import { ROOT } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

/**
 * Bundles modules of the project.
 *
 * @param entries paths from the root, by the scripts' names
 * @returns the scripts by their names, and their chunks
 */
export async function bundleScripts(
  entries: Readonly<Record<string, string>>,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const bundles = await Promise.all(
    Object.entries(entries).map(([name, entry]) => bundle(name, entry)),
  );
  return new Map(bundles.flat());
}

async function bundle(
  name: string,
  entry: string,
): Promise<[string, Uint8Array<ArrayBuffer>][]> {
  const folder = await makeTemporaryFolder("scripts");
  const args = ["bundle", "--quiet", "--platform", "browser", "--code-splitting", "--outdir"];
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, folder.path, entry],
      cwd: ROOT,
      stdin: "null",
    }).output();
    if (!success) throw new Error(`Cannot bundle ${entry}: ${new TextDecoder().decode(stderr)}`);
    const script = basename(entry).replace(/\.ts$/, ".js");
    const files: [string, Uint8Array<ArrayBuffer>][] = [];
    for await (const { name: file } of Deno.readDir(folder.path)) {
      const bytes = await Deno.readFile(new URL(file, folder.url));
      files.push([file === script ? name : file, bytes]);
    }
    return files;
  } finally {
    await folder.remove();
  }
}
