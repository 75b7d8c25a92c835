/**
 * `deno task page:build`, as a user runs it: what it makes, when it does nothing, and what it says where it cannot.
 */

import { sha256 } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { BrowserFiles } from "../../edge/app/serve_browser.ts";
import { WASM_FILES } from "../../edge/wasm_files.ts";
import { MAX_PART_BYTES } from "../../edge/adapter/workerd/parted_files.ts";
import { buildPage } from "./build_page.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { ROOT, taskCommand } from "./task_command.ts";

const FOLDER = new URL(".cache/page/", ROOT);

async function readFiles(): Promise<BrowserFiles> {
  return JSON.parse(await Deno.readTextFile(new URL("files.json", FOLDER)));
}

async function unpack(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await Deno.readFile(new URL(`${name}.gz`, FOLDER));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("deno task page:build packs scripts and WebAssembly, none larger than an asset may be", async () => {
  await buildPage();
  const files = await readFiles();
  const names = Object.keys(files);
  for (const name of ["classifier.js", "worker.js", ...Object.values(WASM_FILES)]) {
    assert.ok(names.includes(name), name);
  }
  for (const [name, { bytes, packed, sha256: hash }] of Object.entries(files)) {
    assert.match(name, /^[\w.-]+\.(js|wasm)$/);
    const whole = await unpack(name);
    assert.equal(whole.length, bytes, name);
    assert.equal(await sha256(whole), hash, name);
    const { size } = await Deno.stat(new URL(`${name}.gz`, FOLDER));
    assert.ok(packed === size && size < MAX_PART_BYTES, name);
    if (!name.endsWith(".js")) continue;
    // Beside each other, and not from anywhere else.
    for (
      const [, path] of new TextDecoder().decode(whole).matchAll(
        /\bimport(?:\{[^}]*\}from)?"([^"]+)"/g,
      )
    ) {
      assert.ok(names.includes(path.replace(/^\.\//, "")), `${name} imports ${path}`);
    }
  }
  const lying = await Array.fromAsync(Deno.readDir(FOLDER), ({ name }) => name);
  assert.deepEqual(
    lying.sort(),
    [...names.map((name) => `${name}.gz`), "files.json", "stamp"].sort(),
  );
});

Deno.test("deno task page:build makes nothing anew while the sources are the same, and replaces what is not of them", async () => {
  await buildPage();
  const made = async () => (await Deno.stat(new URL("files.json", FOLDER))).mtime?.getTime();
  const before = await made();
  await buildPage();
  assert.equal(await made(), before);
  const files = await readFiles();
  await Deno.writeTextFile(new URL("stamp", FOLDER), "of other sources");
  await Deno.writeTextFile(new URL("stray.js.gz", FOLDER), "");
  await buildPage();
  assert.deepEqual(await readFiles(), files);
  await assert.rejects(Deno.stat(new URL("stray.js.gz", FOLDER)), { name: "NotFound" });
});

Deno.test("deno task page:build says in a sentence that the bundler cannot be had; page:update does, and ends well", async () => {
  const folder = await makeTemporaryFolder("deno");
  const run = async (task: string) => {
    await Deno.writeTextFile(new URL("stamp", FOLDER), "of other sources");
    const command = await taskCommand(task, [], {
      env: { DENO_DIR: folder.path, NPM_CONFIG_REGISTRY: "http://127.0.0.1:1", NO_COLOR: "1" },
    });
    const { code, stdout, stderr } = await command.output();
    assert.equal(stdout.length, 0);
    const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
    assert.match(
      said,
      /Cannot bundle the scripts for browsers: .*the first time needs the network/,
    );
    await assert.rejects(Deno.stat(FOLDER), { name: "NotFound" }, "what is not of these sources");
    return code;
  };
  try {
    await buildPage();
    assert.equal(await run("page:build"), 1);
    await buildPage();
    assert.equal(await run("page:update"), 0);
  } finally {
    await buildPage();
    await folder.remove();
  }
});
