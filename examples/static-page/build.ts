/**
 * Lays out a page that classifies pictures by itself, for any static host.
 *
 *     deno run --allow-read --allow-write --allow-run examples/static-page/build.ts [DIR]
 *     python3 -m http.server --directory .cache/static_page
 *
 * With a bundler of one's own, `page.js` stays as it is: `worker` is then the URL of `@clip-e/edge/browser-worker`, bundled.
 * Where the host takes no file of 26.8 MB, leave `ort-wasm-simd-threaded.asyncify.wasm` out: it computes on the visitor's GPU,
 * by WebGPU, and without it everything runs in WebAssembly.
 */

const ROOT = new URL("../../", import.meta.url);
const HERE = new URL("./", import.meta.url);
const BUNDLE = new URL("fixtures/bundles/tiny/", ROOT);
const WASM = [
  "onnxruntime-web/ort-wasm-simd-threaded.wasm",
  "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm",
  "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm",
  "@jsquash/png/codec/pkg/squoosh_png_bg.wasm",
  "@jsquash/webp/codec/dec/webp_dec.wasm",
];

/** Bundles a module into a script of its name, with chunks beside it of what it imports only where it needs it. */
async function bundleScript(entry: URL, out: string): Promise<void> {
  const args = ["bundle", "--quiet", "--platform", "browser", "--minify", "--code-splitting"];
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [...args, "--outdir", out, entry.pathname],
    cwd: ROOT,
  }).spawn().status;
  if (!success) throw new Error(`Cannot bundle ${entry.pathname}`);
}

/** Copies a folder's files, and those of the folders in it. */
async function copyFolder(from: URL, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(new URL(`${name}/`, from), `${to}/${name}`);
    else await Deno.copyFile(new URL(name, from), `${to}/${name}`);
  }
}

const [out = new URL(".cache/static_page", ROOT).pathname] = Deno.args;
await copyFolder(BUNDLE, `${out}/bundle`);
await Deno.copyFile(new URL("index.html", HERE), `${out}/index.html`);
for (const specifier of WASM) {
  const name = specifier.slice(specifier.lastIndexOf("/"));
  await Deno.copyFile(new URL(import.meta.resolve(specifier)), out + name);
}
await bundleScript(new URL("page.js", HERE), out);
await bundleScript(new URL(import.meta.resolve("@clip-e/edge/browser-worker")), out);
console.log(out);
