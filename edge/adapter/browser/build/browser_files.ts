/**
 * What the page computes with in its visitor's browser: scripts, bundled by Deno, and WebAssembly of the packages that they
 * use. Each file is packed by gzip, since a static asset of a Worker may have 25 MiB at most.
 */

import { ClipEError, sha256 } from "@clip-e/shared";
import { BROWSER_FILES, type BrowserFiles } from "../../../app/serve_browser.ts";
import { WASM_FILES, WASM_PACKAGES, type WasmName } from "../../../wasm_files.ts";
import { projectPath } from "../../deno/user_path.ts";
import { isBuilt, makeStamp, STAMP } from "./page_stamp.ts";

/** The scripts that pages name; what they share, and what they load later, lies in chunks beside them. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "mod.js": "classifier.js",
  "worker.js": "worker.js",
};
const ENTRIES = ["edge/adapter/browser/mod.ts", "edge/adapter/browser/worker.ts"];

/** A network that answers nothing is not waited for, in milliseconds. */
const LIMIT = 60_000;

/**
 * Makes the files.
 *
 * @param folder where to; it is replaced as a whole, or, when the files cannot be made, removed: they would be of other
 * sources
 * @throws {ClipEError} `internal`, when the scripts cannot be bundled
 */
export async function buildBrowserFiles(folder: string): Promise<void> {
  const fresh = `${folder}-${crypto.randomUUID()}.partial`;
  try {
    await Deno.mkdir(fresh, { recursive: true });
    const stamp = await makeStamp();
    await bundleScripts(`${fresh}/scripts`);
    const known = await readList(folder);
    const files: Record<string, BrowserFiles[string]> = {};
    for (const [name, path] of await findFiles(`${fresh}/scripts`)) {
      const bytes = await Deno.readFile(path);
      const hash = await sha256(bytes);
      const target = `${fresh}/${name}.gz`;
      const isKnown = known[name]?.sha256 === hash &&
        await Deno.copyFile(`${folder}/${name}.gz`, target).then(() => true, () => false);
      if (!isKnown) await pack(bytes, target);
      files[name] = {
        bytes: bytes.length,
        packed: (await Deno.stat(target)).size,
        sha256: hash,
      };
    }
    await Deno.remove(`${fresh}/scripts`, { recursive: true });
    await Deno.writeTextFile(`${fresh}/${BROWSER_FILES}`, JSON.stringify(files, undefined, 2));
    await Deno.writeTextFile(`${fresh}/${STAMP}`, stamp);
    await remove(folder);
    await Deno.rename(fresh, folder);
  } catch (error) {
    await remove(fresh);
    // Another process may have been faster, so that the folder was there again when this one came to replace it.
    if (await isBuilt(folder)) return;
    await remove(folder);
    throw error;
  }
}

async function bundleScripts(out: string): Promise<void> {
  const options = ["--quiet", "--platform", "browser", "--minify", "--code-splitting"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", ...options, "--outdir", out, ...ENTRIES],
    cwd: projectPath("."),
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(LIMIT),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim();
  const late = `it was not done after ${LIMIT / 1000} seconds`;
  const why = said === "" ? late : said.match(/^error: (.*)$/m)?.[1] ?? said.split("\n")[0];
  throw new ClipEError(
    "internal",
    `Cannot bundle the scripts for browsers: ${why}. Deno's bundler is downloaded once, so that the first time ` +
      "needs the network: run deno task page:build where there is one",
  );
}

/** All files by their names, and where they lie. */
async function findFiles(scripts: string): Promise<[name: string, path: string | URL][]> {
  const files: [string, string | URL][] = [];
  for await (const { name } of Deno.readDir(scripts)) {
    files.push([SCRIPTS[name] ?? name, `${scripts}/${name}`]);
  }
  for (const [name, folder] of Object.entries(WASM_PACKAGES)) {
    const file = WASM_FILES[name as WasmName];
    files.push([file, new URL(import.meta.resolve(`${folder}/${file}`))]);
  }
  return files;
}

/** The list of an earlier build, whose packed files need not be packed again. */
async function readList(folder: string): Promise<BrowserFiles> {
  const text = await Deno.readTextFile(`${folder}/${BROWSER_FILES}`).catch(() => "{}");
  return JSON.parse(text);
}

async function pack(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<void> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(path, packed);
}

async function remove(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
