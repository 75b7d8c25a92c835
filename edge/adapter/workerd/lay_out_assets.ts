/**
 * Lays out a Worker's static assets: the page under `page/`, a bundle under `bundle/`.
 */

import {
  ClipEError,
  filesOf,
  type Manifest,
  MANIFEST_PATH,
  type ManifestEncoder,
  openBundle,
} from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../deno/fail.ts";
import { folderSource } from "../deno/folder_source.ts";
import { BUNDLE_FLAG, bundleFolder, projectPath } from "../deno/user_path.ts";

const COMMAND = {
  name: "deno task worker:assets",
  description: "Lays out the static assets of the Worker: the page and a bundle, checked.",
  flags: {
    bundle: BUNDLE_FLAG,
  },
} as const;

/** Where `wrangler.jsonc` looks for them. */
const out = projectPath(".cache/worker_assets");

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const source = `${from}/${entry.name}`;
    const target = `${to}/${entry.name}`;
    await (entry.isDirectory ? copyFolder : Deno.copyFile)(source, target);
  }
}

/** A head may be missing: its methods are then not served. */
async function copyIfThere(from: string, to: string): Promise<void> {
  await Deno.mkdir(dirname(to), { recursive: true });
  await Deno.copyFile(from, to).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** The variants that a Worker can run, and those that would only take room. */
function splitEncoders({ name, encoders }: Manifest): Record<"served" | "idle", ManifestEncoder[]> {
  const isServed = ({ backends }: ManifestEncoder) => backends.includes("wasm");
  const served = encoders.filter(isServed);
  if (served.length > 0) return { served, idle: encoders.filter((one) => !isServed(one)) };
  throw new ClipEError(
    "invalid-bundle",
    `Cannot lay out ${name} for a Worker, which runs encoders in WebAssembly: none of the bundle's is for wasm. Build ` +
      "it again with --precision int8",
  );
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
  if ("help" in line) return console.log(line.help);
  const folder = bundleFolder(line.values.bundle);
  const bundle = await openBundle(folderSource(folder));
  const { served, idle } = splitEncoders(bundle.manifest);
  const { textEncoder } = bundle.manifest;
  // Heads and prompts were checked when the bundle was opened, and may be missing; these may not.
  for (const { file, externalData = [] } of [...served, ...(textEncoder ? [textEncoder] : [])]) {
    for (const needed of [file, ...externalData]) await bundle.readFile(needed);
  }
  if (textEncoder) {
    for (const needed of [textEncoder.tokenizer, textEncoder.tokenizerConfig]) {
      await bundle.readFile(needed);
    }
  }
  for (const { part, fault, detail } of bundle.faults) {
    if (fault === "invalid") throw new ClipEError("invalid-bundle", `${part}: ${detail}`);
    console.warn(`${fault} ${part}: ${detail}`);
  }

  await Deno.remove(out, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  const { modelCard } = bundle.manifest;
  const named = [
    ...filesOf({ ...bundle.manifest, encoders: served }),
    ...(modelCard ? [modelCard] : []),
  ];
  for (const path of [MANIFEST_PATH, ...named.map(({ path }) => path)]) {
    await copyIfThere(`${folder}/${path}`, `${out}/bundle/${path}`);
  }
  await copyFolder(fileURLToPath(new URL("../../page", import.meta.url)), `${out}/page`);
  for (const name of ["swagger-ui.css", "swagger-ui-bundle.js"]) {
    const source = new URL(import.meta.resolve(`swagger-ui-dist/${name}`));
    await Deno.copyFile(source, `${out}/page/${name}`);
  }
  for (const { file, externalData = [], precision, backends } of idle) {
    const bytes = externalData.reduce((sum, { bytes }) => sum + bytes, file.bytes);
    const size = `${(bytes / 1e6).toFixed(1)} MB`;
    console.log(`Left out ${file.path} (${precision}, for ${backends.join(", ")}): ${size}`);
  }
  console.log(`Laid out ${bundle.manifest.name} in ${out}`);
}

if (import.meta.main) await main().catch(fail);
