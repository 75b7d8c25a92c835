/**
 * `deno task npm:build`: the edge as a package for npm, with all that it uses of `shared/` inside.
 */

import { readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../edge/adapter/deno/fail.ts";
import { WASM_FILES, WASM_PACKAGES } from "../edge/wasm_files.ts";
import { compile } from "./compile.ts";
import { makePackageJson, NAME } from "./package_json.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What runs outside Deno, by the names of `edge/deno.json`. */
const ENTRIES = [".", "./browser", "./browser-worker", "./client", "./node", "./worker"];

const SIDE_EFFECTS = ["edge/adapter/browser/worker.ts"];

/** Beside the module that names them by `import.meta.url`, where bundlers look. */
const WASM_FOLDER = "edge/adapter/browser";

const COMMAND = {
  name: "deno task npm:build",
  description: "Makes the npm package @clip-e/edge: a folder for npm pack and npm publish.",
  flags: {
    out: { kind: "string", value: "DIR", default: ".cache/npm", help: "The folder" },
  },
} as const;

/** What is read of this project's own descriptions. */
interface Description {
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
}

async function describe(file: string): Promise<Description> {
  return JSON.parse(await Deno.readTextFile(resolve(ROOT, file)));
}

/**
 * Makes the package's files.
 *
 * @returns their contents, by their paths
 */
async function makeFiles(): Promise<Map<string, string | Uint8Array>> {
  const [project, shared, edge, native] = await Promise.all(
    ["deno.json", "shared/deno.json", "edge/deno.json", "edge/adapter/deno/native/deno.json"]
      .map(describe),
  );
  const entries = Object.fromEntries(
    ENTRIES.map((name) => [name, edge.exports[name].replace("./", "edge/")]),
  );
  const modules = compile({
    root: ROOT,
    entries: Object.values(entries),
    names: new Map([["@clip-e/shared", shared.exports["."].replace("./", "shared/")]]),
  });
  const files = new Map<string, string | Uint8Array>(modules);
  for (const [name, file] of Object.entries(WASM_FILES)) {
    const folder = WASM_PACKAGES[name as keyof typeof WASM_FILES];
    files.set(`${WASM_FOLDER}/${file}`, await readPackaged(`${folder}/${file}`));
  }
  files.set("LICENSE", await Deno.readFile(resolve(ROOT, "LICENSE")));
  files.set("LICENSE-jsquash", await readPackaged("@jsquash/jpeg/LICENSE"));
  files.set("README.md", await Deno.readFile(resolve(ROOT, "npm/README.md")));
  files.set(
    "package.json",
    makePackageJson({
      version: edge.version,
      entries,
      sideEffects: SIDE_EFFECTS,
      wasm: WASM_FOLDER,
      dependencies: findDependencies([...modules.values()].join("\n"), project.imports),
      nativeVersion: versionOf(native.imports["onnxruntime-node"]),
    }),
  );
  return files;
}

/**
 * Writes the package.
 *
 * @param out its folder, in the place of an earlier one
 * @param files by their paths
 */
async function write(out: string, files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  await Deno.remove(out, { recursive: true }).catch(() => {});
  for (const [path, content] of files) {
    const file = resolve(out, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(file, content);
    else await Deno.writeFile(file, content);
  }
}

/** Whether nothing is lost with a folder: it is not there, is empty, or holds this package. */
async function isReplaceable(folder: string): Promise<boolean> {
  try {
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    if (names.length === 0) return true;
    const { name } = JSON.parse(await Deno.readTextFile(resolve(folder, "package.json")));
    return name === NAME && !names.includes("node_modules");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return await Deno.lstat(folder).then(() => false, () => true);
    }
    return false;
  }
}

/** Versions of the packages that code names, in quotes: whole, or a file of one. */
function findDependencies(
  code: string,
  imports: Description["imports"],
): Record<string, string> {
  const used = Object.entries(imports).filter(([name]) => new RegExp(`"${name}["/]`).test(code));
  return Object.fromEntries(used.map(([name, target]) => [name, versionOf(target)]));
}

/** `1.2.3` of `npm:name@1.2.3`. */
function versionOf(target: string): string {
  return target.slice(target.lastIndexOf("@") + 1);
}

async function readPackaged(specifier: string): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(new URL(import.meta.resolve(specifier)));
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const out = resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), line.values.out);
  if (!await isReplaceable(out)) {
    throw new UsageError(`${out} holds something else than this package: name another folder`);
  }
  await write(out, await makeFiles());
  console.log(out);
}

if (import.meta.main) await main().catch(fail);
