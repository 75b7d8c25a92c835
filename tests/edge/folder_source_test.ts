import { ClipEError } from "@clip-e/shared";
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { folderSource } from "../../edge/adapter/deno/folder_source.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e folder %41 " });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("folderSource() reads files below a path or a URL, whatever characters it has", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/heads`);
    await Deno.writeFile(`${folder}/heads/one`, Uint8Array.of(1, 2, 3));
    const url = pathToFileURL(folder);
    for (const source of [folder, `${folder}/`, url, new URL(`${url}/`)]) {
      assert.deepEqual(await folderSource(source).read("heads/one"), Uint8Array.of(1, 2, 3));
    }
  });
});

Deno.test("folderSource() has nothing for files and folders that do not exist", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const path of ["nothing", "nowhere/nothing", "file/nothing"]) {
      assert.equal(await folderSource(folder).read(path), undefined, path);
    }
    assert.equal(await folderSource(`${folder}/nowhere`).read("nothing"), undefined);
  });
});

Deno.test({
  name: "folderSource() says which file may not be read, and how it could be",
  permissions: { read: false },
  async fn() {
    await assert.rejects(
      folderSource("somewhere").read("manifest.json"),
      (error) =>
        error instanceof ClipEError && error.code === "invalid-bundle" &&
        /somewhere\/manifest\.json.*--allow-read/.test(error.message),
    );
  },
});
