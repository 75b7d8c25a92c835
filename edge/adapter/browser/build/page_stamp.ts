/**
 * Whether what was made for browsers is of today's sources: a digest of these lies beside it.
 */

import { sha256 } from "@clip-e/shared";
import { projectPath } from "../../deno/user_path.ts";

/** The digest's file. */
export const STAMP = "stamp";

/** Folders with all that may be in a script for browsers, and the file that says of which versions packages are. */
const SOURCES = ["edge", "shared"];
const VERSIONS = "deno.lock";

/**
 * Makes the digest of the sources as they are now.
 */
export async function makeStamp(): Promise<string> {
  const files = [projectPath(VERSIONS)];
  for (const folder of SOURCES) await findModules(projectPath(folder), files);
  const digests = await Promise.all(
    files.sort().map(async (file) => `${file} ${await sha256(await Deno.readFile(file))}`),
  );
  return await sha256(new TextEncoder().encode([Deno.version.deno, ...digests].join("\n")));
}

/**
 * Looks whether a folder was made of the sources as they are now.
 *
 * @param folder with a stamp
 */
export async function isBuilt(folder: string): Promise<boolean> {
  const stamp = await Deno.readTextFile(`${folder}/${STAMP}`).catch(() => undefined);
  return stamp !== undefined && stamp === await makeStamp();
}

async function findModules(folder: string, found: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name === "node_modules") continue;
    if (isDirectory) await findModules(`${folder}/${name}`, found);
    else if (name.endsWith(".ts")) found.push(`${folder}/${name}`);
  }
}
