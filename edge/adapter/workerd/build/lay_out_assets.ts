/**
 * A Worker's static assets: the page under `page/`, a bundle under `bundle/`, what pages compute with under `browser/`.
 */

import type { BundleSource } from "@clip-e/shared";
import { fileURLToPath } from "node:url";
import { BROWSER_FILES } from "../../../app/serve_browser.ts";
import { BROWSER_FOLDER } from "../../deno/browser_folder.ts";
import { type LaidOutBundle, layOutBundle } from "./lay_out_bundle.ts";

/**
 * Lays out the static assets.
 *
 * @param bundle where it is
 * @param out a folder, which is emptied
 * @param hear is told what people should know
 * @throws {ClipEError} `invalid-bundle`, when a Worker cannot serve the bundle: the folder is then as it was
 */
export async function layOutAssets(
  bundle: BundleSource,
  out: string,
  hear: (line: string) => void,
): Promise<LaidOutBundle> {
  const fresh = `${out}.partial`;
  await remove(fresh);
  const laidOut = await layOutBundle(bundle, `${fresh}/bundle`, hear).catch(async (error) => {
    await remove(fresh);
    throw error;
  });
  await copyFolder(fileURLToPath(new URL("../../../page", import.meta.url)), `${fresh}/page`);
  for (const name of ["swagger-ui.css", "swagger-ui-bundle.js"]) {
    const source = new URL(import.meta.resolve(`swagger-ui-dist/${name}`));
    await Deno.copyFile(source, `${fresh}/page/${name}`);
  }
  await copyBrowserFiles(`${fresh}/browser`, hear);
  await remove(out);
  await Deno.rename(fresh, out);
  for (const { file, externalData = [], precision, backends } of laidOut.idle) {
    const bytes = externalData.reduce((sum, { bytes }) => sum + bytes, file.bytes);
    const size = `${(bytes / 1e6).toFixed(1)} MB`;
    hear(`Left out ${file.path} (${precision}, for ${backends.join(", ")}): ${size}`);
  }
  return laidOut;
}

/** What `deno task page:build` made, but for its own notes. */
async function copyBrowserFiles(to: string, hear: (line: string) => void): Promise<void> {
  const text = await Deno.readTextFile(`${BROWSER_FOLDER}/${BROWSER_FILES}`).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (text === undefined) {
    return hear("Left out what pages compute with: deno task page:build makes it");
  }
  await Deno.mkdir(to);
  for (const name of Object.keys(JSON.parse(text))) {
    await Deno.copyFile(`${BROWSER_FOLDER}/${name}.gz`, `${to}/${name}.gz`);
  }
  await Deno.writeTextFile(`${to}/${BROWSER_FILES}`, text);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const source = `${from}/${entry.name}`;
    const target = `${to}/${entry.name}`;
    await (entry.isDirectory ? copyFolder : Deno.copyFile)(source, target);
  }
}

async function remove(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
