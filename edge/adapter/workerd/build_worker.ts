/**
 * `deno task worker:build` and `worker:deploy`: everything that a Worker needs, checked and weighed.
 */

import { type FlagValues, readCommandLine } from "@clip-e/shared/command-line";
import { dirname } from "node:path";
import { bundleSource } from "../deno/bundle_source.ts";
import { fail } from "../deno/fail.ts";
import { BUNDLE_FLAG, bundleLocation } from "../deno/user_path.ts";
import { layOutAssets } from "./build/lay_out_assets.ts";
import { formatBudget } from "./build/memory_table.ts";
import { ASSETS, CONFIG, TEMPLATE, UPLOAD } from "./build/places.ts";
import { addUp, formatSizes, measureSizes } from "./build/size_table.ts";
import { makeWorkerConfig } from "./build/worker_config.ts";
import { runWrangler } from "./build/wrangler.ts";

const COMMAND = {
  name: "deno task worker:build",
  description:
    "Checks a bundle against a Worker's memory, lays out the static assets, bundles the Worker, and says what " +
    "each part weighs. worker:deploy is the same, and then uploads it.",
  flags: {
    bundle: BUNDLE_FLAG,
    deploy: { kind: "boolean", help: "Upload it, as worker:deploy does" },
    dryRun: { kind: "boolean", help: "Upload nothing, even so" },
    json: { kind: "boolean", help: "Say sizes and memory as JSON" },
  },
} as const;

async function build({ bundle, json }: FlagValues<typeof COMMAND.flags>): Promise<void> {
  const hear = (line: string) => console.warn(line);
  const { manifest, digest, budget } = await layOutAssets(
    bundleSource(bundleLocation(bundle)),
    ASSETS,
    hear,
  );
  await Deno.mkdir(dirname(CONFIG), { recursive: true });
  const config = await makeWorkerConfig({ template: TEMPLATE, assets: ASSETS, digest });
  await Deno.writeTextFile(CONFIG, config);
  await Deno.remove(UPLOAD, { recursive: true }).catch(() => {});
  await runWrangler(["deploy", "--dry-run", "--outdir", UPLOAD, "-c", CONFIG], false);
  const sizes = await measureSizes(UPLOAD, ASSETS);
  if (json) {
    const total = (group: string) => addUp(sizes.filter((size) => size.group === group));
    const totals = { upload: total("upload"), assets: total("assets") };
    console.log(
      JSON.stringify({ name: manifest.name, digest, sizes, totals, budget }, undefined, 2),
    );
  } else {
    console.log(`${manifest.name}, ${digest}\n\n${formatSizes(sizes)}\n\n${formatBudget(budget)}`);
  }
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
  if ("help" in line) return console.log(line.help);
  const { deploy, dryRun } = line.values;
  await build(line.values);
  if (deploy && !dryRun) await runWrangler(["deploy", "-c", CONFIG], true);
}

if (import.meta.main) await main().catch(fail);
