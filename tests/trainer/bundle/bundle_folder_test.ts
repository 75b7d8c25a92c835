import assert from "node:assert/strict";
import { MANIFEST_PATH } from "@clip-e/shared";
import { readBundleFolder, writeBundleFolder } from "../../../trainer/bundle/bundle_folder.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { makeSyntheticBundle } from "../../synthetic_bundle.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) found.push(name);
  return found.sort();
}

const { files: bundle, manifest } = await makeSyntheticBundle();

Deno.test("writeBundleFolder() writes every file, and replaces a bundle whole", () =>
  withFolder(async (folder) => {
    const out = `${folder}/bundle`;
    await writeBundleFolder(out, bundle);
    assert.ok((await names(out)).includes("heads"));
    await writeBundleFolder(out, new Map([[MANIFEST_PATH, bytes("3")]]));
    assert.deepEqual(await names(out), [MANIFEST_PATH]);
    assert.deepEqual(await names(folder), ["bundle"], "nothing is left beside the bundle");
  }));

Deno.test("writeBundleFolder() keeps what the older bundle does not name", () =>
  withFolder(async (folder) => {
    const out = `${folder}/bundle`;
    await writeBundleFolder(out, bundle);
    await Deno.writeTextFile(`${out}/notes.txt`, "mine");
    await Deno.mkdir(`${out}/heads/drafts`);
    await Deno.writeTextFile(`${out}/heads/drafts/a.txt`, "mine too");
    await Deno.symlink("notes.txt", `${out}/link.txt`);
    const files = new Map(bundle);
    const [dropped] = manifest.heads;
    files.delete(dropped.file.path);
    await writeBundleFolder(out, files);
    assert.equal(await Deno.readTextFile(`${out}/notes.txt`), "mine");
    assert.equal(await Deno.readTextFile(`${out}/heads/drafts/a.txt`), "mine too");
    assert.equal(await Deno.readLink(`${out}/link.txt`), "notes.txt");
    await assert.rejects(Deno.stat(`${out}/${dropped.file.path}`), Deno.errors.NotFound);
    assert.deepEqual(await names(folder), ["bundle"], "nothing is left beside the bundle");
  }));

Deno.test("writeBundleFolder() leaves a copy beside the bundle alone", () =>
  withFolder(async (folder) => {
    await writeBundleFolder(`${folder}/bundle.old`, bundle);
    assert.equal(await readBundleFolder(`${folder}/bundle`), undefined);
    await writeBundleFolder(`${folder}/bundle`, bundle);
    await writeBundleFolder(`${folder}/bundle`, bundle);
    assert.deepEqual(await names(folder), ["bundle", "bundle.old"]);
  }));

/** Runs a writer of a bundle in a process of its own that is killed between the two renames. */
async function writeAndBeKilled(out: string): Promise<void> {
  const module = new URL("../../../trainer/bundle/bundle_folder.ts", import.meta.url);
  const program = `
    import { writeBundleFolder } from ${JSON.stringify(module.href)};
    const rename = Deno.rename;
    Deno.rename = async (from, to) => {
      if (String(from).endsWith(".partial")) Deno.kill(Deno.pid, "SIGKILL");
      await rename(from, to);
    };
    await writeBundleFolder(${JSON.stringify(out)}, new Map([["new.txt", new Uint8Array(1)]]));
  `;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--ext=ts", "-"],
    cwd: new URL("../../../", import.meta.url),
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await new Blob([program]).stream().pipeTo(process.stdin);
  assert.equal((await process.status).signal, "SIGKILL");
  await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
}

Deno.test("readBundleFolder() finds the bundle that a killed writer took away", () =>
  withFolder(async (folder) => {
    const out = `${folder}/bundle`;
    await writeBundleFolder(out, bundle);
    await writeAndBeKilled(out);
    assert.deepEqual((await readBundleFolder(out))?.manifest, manifest);
    await writeBundleFolder(out, bundle);
    assert.deepEqual(await names(folder), ["bundle"], "nothing is left beside the bundle");
  }));

Deno.test("writeBundleFolder() keeps the user's files that a killed writer took away", () =>
  withFolder(async (folder) => {
    const out = `${folder}/bundle`;
    await writeBundleFolder(out, bundle);
    await Deno.writeTextFile(`${out}/notes.txt`, "mine");
    await writeAndBeKilled(out);
    await writeBundleFolder(out, bundle);
    assert.equal(await Deno.readTextFile(`${out}/notes.txt`), "mine");
    assert.deepEqual(await names(folder), ["bundle"], "nothing is left beside the bundle");
  }));

Deno.test("writeBundleFolder() leaves the old bundle alone when it cannot write", () =>
  withFolder(async (folder) => {
    const out = `${folder}/bundle`;
    await writeBundleFolder(out, new Map([["manifest.json", bytes("1")]]));
    // A file where a folder is needed: the write fails half-way.
    const files = new Map([["heads", bytes("2")], ["heads/a.safetensors", bytes("3")]]);
    await assert.rejects(writeBundleFolder(out, files), TrainerError);
    assert.equal(await Deno.readTextFile(`${out}/manifest.json`), "1");
    assert.deepEqual(await names(folder), ["bundle"], "nothing is left beside the bundle");
  }));

Deno.test("readBundleFolder() finds nothing in a folder that is empty or not there", () =>
  withFolder(async (folder) => {
    assert.equal(await readBundleFolder(folder), undefined);
    assert.equal(await readBundleFolder(`${folder}/none`), undefined);
  }));

Deno.test("readBundleFolder() refuses a folder that holds something else", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/thesis.tex`, "years of work");
    await assert.rejects(readBundleFolder(folder), TrainerError);
    await assert.rejects(readBundleFolder(`${folder}/thesis.tex`), TrainerError);
    await assert.rejects(readBundleFolder(`${folder}/thesis.tex/bundle`), TrainerError);
  }));
