/**
 * The package's description of itself.
 */

/** What the package is called. */
export const NAME = "@clip-e/edge";

/** What the package is made of. */
export interface PackageParts {
  /** As released. */
  readonly version: string;
  /** Modules by what users call them: `./client` and `edge/client/mod.ts`. */
  readonly entries: Readonly<Record<string, string>>;
  /** Modules that do something when they are loaded, which bundlers must keep. */
  readonly sideEffects: readonly string[];
  /** The folder of the WebAssembly files. */
  readonly wasm: string;
  /** Versions of packages that it needs. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** The version of `onnxruntime-node` that it was tried with. */
  readonly nativeVersion: string;
}

/**
 * Makes `package.json`.
 *
 * @param parts of the package
 */
export function makePackageJson(parts: PackageParts): string {
  const { version, entries, sideEffects, wasm, dependencies, nativeVersion } = parts;
  const file = (module: string, extension: string) => `./${module.replace(/\.ts$/, extension)}`;
  const json = {
    name: NAME,
    version,
    description: "What does a picture evoke? Visual sentiment analysis at the edge",
    keywords: ["clip", "image", "sentiment", "emotion", "classifier", "onnx", "edge"],
    license: "MIT",
    type: "module",
    engines: { node: ">=20" },
    exports: {
      ...Object.fromEntries(
        Object.entries(entries).map(([name, module]) => [
          name,
          { types: file(module, ".d.ts"), default: file(module, ".js") },
        ]),
      ),
      "./wasm/*.wasm": `./${wasm}/*.wasm`,
      "./package.json": "./package.json",
    },
    sideEffects: sideEffects.map((module) => file(module, ".js")),
    dependencies,
    peerDependencies: { "onnxruntime-node": `^${nativeVersion}` },
    peerDependenciesMeta: { "onnxruntime-node": { optional: true } },
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}
