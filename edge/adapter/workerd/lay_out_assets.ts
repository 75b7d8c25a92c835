/**
 * `deno task worker:assets`: lays out a Worker's static assets, for `worker:dev`.
 */

import { readCommandLine } from "@clip-e/shared/command-line";
import { bundleSource } from "../deno/bundle_source.ts";
import { fail } from "../deno/fail.ts";
import { BUNDLE_FLAG, bundleLocation } from "../deno/user_path.ts";
import { layOutAssets } from "./build/lay_out_assets.ts";
import { ASSETS } from "./build/places.ts";

const COMMAND = {
  name: "deno task worker:assets",
  description: "Lays out the static assets of the Worker: the page and a bundle, checked.",
  flags: {
    bundle: BUNDLE_FLAG,
  },
} as const;

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
  if ("help" in line) return console.log(line.help);
  const source = bundleSource(bundleLocation(line.values.bundle));
  const { manifest } = await layOutAssets(source, ASSETS, console.log);
  console.log(`Laid out ${manifest.name} in ${ASSETS}`);
}

if (import.meta.main) await main().catch(fail);
