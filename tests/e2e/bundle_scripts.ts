/**
 * Scripts for browsers, each in one file, as an app's own build would make them.
 */

import { ROOT } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

/**
 * Bundles modules of the project.
 *
 * @param entries paths from the root, by the scripts' names
 * @returns the scripts, by their names
 */
export async function bundleScripts(
  entries: Readonly<Record<string, string>>,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const folder = await makeTemporaryFolder("scripts");
  try {
    return new Map(
      await Promise.all(
        Object.entries(entries).map(async ([name, entry]) => {
          const output = `${folder.path}/${name}`;
          const command = new Deno.Command(Deno.execPath(), {
            args: ["bundle", "--quiet", "--platform", "browser", "--output", output, entry],
            cwd: ROOT,
            stdin: "null",
          });
          const { success, stderr } = await command.output();
          if (!success) {
            throw new Error(`Cannot bundle ${entry}: ${new TextDecoder().decode(stderr)}`);
          }
          return [name, await Deno.readFile(new URL(name, folder.url))] as const;
        }),
      ),
    );
  } finally {
    await folder.remove();
  }
}
