/**
 * `deno task worker:bucket`: puts a bundle into a bucket of R2, from which Workers serve it without being deployed again.
 */

import { MANIFEST_PATH } from "@clip-e/shared";
import { readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { bundleSource } from "../deno/bundle_source.ts";
import { fail } from "../deno/fail.ts";
import { BUNDLE_FLAG, bundleLocation } from "../deno/user_path.ts";
import { layOutBundle } from "./build/lay_out_bundle.ts";
import { listFiles } from "./build/list_files.ts";
import { BUCKET, TEMPLATE } from "./build/places.ts";
import { runWrangler } from "./build/wrangler.ts";

const COMMAND = {
  name: "deno task worker:bucket",
  description: "Checks a bundle against a Worker's memory and puts it into a bucket of R2.",
  flags: {
    bundle: BUNDLE_FLAG,
    bucket: { kind: "string", value: "NAME", help: "The bucket" },
    prefix: { kind: "string", value: "PATH", help: "Where in it: what BUNDLE_PREFIX says" },
    local: { kind: "boolean", help: "Into the bucket that worker:dev simulates" },
  },
} as const;

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
  if ("help" in line) return console.log(line.help);
  const { bundle, bucket, prefix = "", local } = line.values;
  if (bucket === undefined) throw new UsageError("--bucket is needed");
  const folder = prefix === "" ? "" : `${prefix.replace(/\/$/, "")}/`;
  await Deno.remove(BUCKET, { recursive: true }).catch(() => {});
  const { manifest, digest } = await layOutBundle(
    bundleSource(bundleLocation(bundle)),
    BUCKET,
    console.warn,
  );
  const files = (await listFiles(BUCKET)).filter((path) => path !== MANIFEST_PATH);
  // The manifest last: whoever reads it finds the files that it names.
  for (const path of [...files, MANIFEST_PATH]) {
    const key = `${bucket}/${folder}${path}`;
    const where = local ? "--local" : "--remote";
    await runWrangler(
      ["r2", "object", "put", key, "--file", `${BUCKET}/${path}`, where, "-c", TEMPLATE],
      false,
    );
    console.log(key);
  }
  console.log(`Put ${manifest.name} (${digest}) into ${bucket}`);
}

if (import.meta.main) await main().catch(fail);
