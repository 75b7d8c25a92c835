/**
 * Lays out a Worker's static assets: the page under `page/`, a bundle under `bundle/`.
 */

import { openBundle } from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { fileURLToPath } from "node:url";
import { fail } from "../deno/fail.ts";
import { folderSource } from "../deno/folder_source.ts";

const COMMAND = {
  name: "deno task worker:assets",
  description: "Lays out the static assets of the Worker: the page and a bundle, checked.",
  flags: {
    bundle: {
      kind: "string",
      value: "DIR",
      default: "fixtures/bundles/tiny",
      env: "CLIP_E_BUNDLE",
      help: "The bundle's folder",
    },
    out: { kind: "string", value: "DIR", default: ".cache/worker_assets", help: "Where to" },
  },
} as const;

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const source = `${from}/${entry.name}`;
    const target = `${to}/${entry.name}`;
    await (entry.isDirectory ? copyFolder : Deno.copyFile)(source, target);
  }
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
  if ("help" in line) return console.log(line.help);
  const { bundle: folder, out } = line.values;
  const bundle = await openBundle(folderSource(folder));
  for (const encoder of bundle.manifest.encoders) await bundle.readEncoder(encoder);
  for (const { part, fault, detail } of bundle.faults) console.warn(`${fault} ${part}: ${detail}`);

  await Deno.remove(out, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await copyFolder(folder, `${out}/bundle`);
  await copyFolder(fileURLToPath(new URL("../../page", import.meta.url)), `${out}/page`);
  for (const name of ["swagger-ui.css", "swagger-ui-bundle.js"]) {
    const source = new URL(import.meta.resolve(`swagger-ui-dist/${name}`));
    await Deno.copyFile(source, `${out}/page/${name}`);
  }
  console.log(`Laid out ${bundle.manifest.name} in ${out}`);
}

if (import.meta.main) await main().catch(fail);
