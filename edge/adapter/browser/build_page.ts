/**
 * `deno task page:build`: makes what the page computes with in its visitor's browser, where it is not there yet.
 */

import { readCommandLine } from "@clip-e/shared/command-line";
import { BROWSER_FOLDER } from "../deno/browser_folder.ts";
import { buildBrowserFiles } from "./build/browser_files.ts";
import { isBuilt } from "./build/page_stamp.ts";
import { fail } from "../deno/fail.ts";

const COMMAND = {
  name: "deno task page:build",
  description:
    "Bundles the scripts for browsers and packs their WebAssembly, where anything has changed.",
  flags: {
    ifPossible: { kind: "boolean", help: "Where that fails say why, and end as if it had not" },
  },
} as const;

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  try {
    if (!await isBuilt(BROWSER_FOLDER)) await buildBrowserFiles(BROWSER_FOLDER);
  } catch (error) {
    if (!line.values.ifPossible) throw error;
    console.warn(error instanceof Error ? error.message : error);
  }
}

if (import.meta.main) await main().catch(fail);
