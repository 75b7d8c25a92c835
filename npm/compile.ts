/**
 * TypeScript to JavaScript and declarations, file by file and without a bundler, so that whoever reads or debugs the package
 * finds the modules of this project, comments and all.
 */

import { dirname, relative, resolve } from "node:path";
import ts from "typescript";

/** What is compiled. */
export interface CompileOptions {
  /** The folder that paths are relative to. */
  readonly root: string;
  /** Modules to begin with; all that they import comes too. */
  readonly entries: readonly string[];
  /** Files that stand behind the project's own names. */
  readonly names: ReadonlyMap<string, string>;
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  rewriteRelativeImportExtensions: true,
  declaration: true,
  // Some decoders' declarations name types that are nowhere.
  skipLibCheck: true,
};

/** What stands before a module's name, and the name. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(?\s*)"([^"\n]+)"/g;

/**
 * Compiles modules and all that they import.
 *
 * @param options which
 * @returns texts of `.js` and `.d.ts` files, by their paths
 * @throws {Error} with the compiler's words, when something is wrong
 */
export function compile({ root, entries, names }: CompileOptions): Map<string, string> {
  const options: ts.CompilerOptions = {
    ...OPTIONS,
    rootDir: root,
    outDir: root,
    // Node's own come with a dependency.
    typeRoots: [resolve(root, "node_modules/.deno/node_modules/@types")],
  };
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  host.readFile = (path) => {
    const text = readFile(path);
    if (path.includes("/node_modules/")) return text;
    return text?.replace(SPECIFIER, (whole, before: string, name: string) => {
      const file = names.get(name);
      return file === undefined
        ? whole
        : `${before}"${relativeName(dirname(path), resolve(root, file))}"`;
    });
  };
  const program = ts.createProgram(entries.map((entry) => resolve(root, entry)), options, host);
  const files = new Map<string, string>();
  const emitted = program.emit(undefined, (path, text) => {
    // The compiler renames files in what is run, and leaves declarations alone.
    const renamed = text.replace(
      SPECIFIER,
      (_, before: string, name: string) => `${before}"${name.replace(/^(\..*)\.ts$/, "$1.js")}"`,
    );
    files.set(relative(root, path), renamed);
  });
  check([...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics], root);
  return files;
}

/** How a module of a folder names a file. */
function relativeName(folder: string, file: string): string {
  const path = relative(folder, file);
  return path.startsWith(".") ? path : `./${path}`;
}

function check(diagnostics: readonly ts.Diagnostic[], root: string): void {
  if (diagnostics.length === 0) return;
  const said = ts.formatDiagnostics(diagnostics, {
    getCurrentDirectory: () => root,
    getCanonicalFileName: (name) => name,
    getNewLine: () => "\n",
  });
  throw new Error(`Cannot compile the package:\n${said}`);
}
