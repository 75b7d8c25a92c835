import assert from "node:assert/strict";
import { readBundleFolder, writeBundleFolder } from "../../trainer/bundle_folder.ts";
import { TrainerError } from "../../trainer/errors.ts";

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

Deno.test("writeBundleFolder() writes every file, and replaces a bundle whole", () =>
  withFolder(async (folder) => {
    const out = `${folder}/bundle`;
    await writeBundleFolder(
      out,
      new Map([["manifest.json", bytes("1")], ["heads/old.safetensors", bytes("2")]]),
    );
    assert.deepEqual(await names(out), ["heads", "manifest.json"]);
    await writeBundleFolder(out, new Map([["manifest.json", bytes("3")]]));
    assert.deepEqual(await names(out), ["manifest.json"]);
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
  }));
