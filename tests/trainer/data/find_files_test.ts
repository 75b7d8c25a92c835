import assert from "node:assert/strict";
import { join } from "node:path";
import { expandBraces, findFiles } from "../../../trainer/data/find_files.ts";
import { splitOfPath } from "../../../trainer/data/split_name.ts";
import { problem, withFiles } from "./samples.ts";

const FILES = {
  "b.tar": "",
  "a.tar": "",
  "notes.txt": "",
  "deep/er/a.tar": "",
  ".hidden/c.tar": "",
};

async function names(pattern: string): Promise<string[]> {
  return (await findFiles(pattern, [".tar"])).map(({ name }) => name);
}

Deno.test("expandBraces() expands lists and ranges, and keeps zeros", () => {
  assert.deepEqual(expandBraces("a.tar"), ["a.tar"]);
  assert.deepEqual(expandBraces("{08..11}.tar"), ["08.tar", "09.tar", "10.tar", "11.tar"]);
  assert.deepEqual(expandBraces("{a,b}/{0..1}"), ["a/0", "a/1", "b/0", "b/1"]);
});

Deno.test("findFiles() finds a file, a folder's files and those that fit a pattern", async () => {
  await withFiles(FILES, async (folder) => {
    assert.deepEqual(await names(join(folder, "notes.txt")), ["notes.txt"]);
    assert.deepEqual(await names(folder), ["a.tar", "b.tar", "deep/er/a.tar"]);
    assert.deepEqual(await names(join(folder, "?.tar")), ["a.tar", "b.tar"]);
    assert.deepEqual(await names(join(folder, "*", "er", "*.tar")), ["deep/er/a.tar"]);
    assert.deepEqual(await names(join(folder, "{b,a,x}.tar")), ["b.tar", "a.tar"]);
    assert.deepEqual(await names(join(folder, "{deep/er/,}a.tar")), ["deep/er/a.tar", "a.tar"]);
    const [{ path }] = await findFiles(join(folder, "*.tar"), []);
    assert.equal(path, join(folder, "a.tar"));
  });
});

Deno.test("findFiles() says that nothing is there, fits or ends so", async () => {
  await withFiles(FILES, async (folder) => {
    assert.equal(
      await problem(names(join(folder, "c.tar"))),
      "Cannot read ~/c.tar: there is no such file or folder. Check the path",
    );
    assert.equal(
      await problem(names(join(folder, "c*.tar"))),
      "Cannot read ~/c*.tar: no file fits this pattern. Check the path, and put the pattern in " +
        "quotation marks, so that the shell leaves it alone",
    );
    assert.equal(
      await problem(findFiles(folder, [".parquet"])),
      "Cannot read ~/: there is no file that ends in .parquet, but a.tar, b.tar, deep/, notes.txt. " +
        "Name the folder that has them",
    );
  });
});

Deno.test("splitOfPath() goes by a file's first word, then by its folders", () => {
  const cases: [string, string | undefined][] = [
    ["train-00000-of-00002.parquet", "train"],
    ["test_3.tar", "test"],
    ["val.tar", "validation"],
    ["training/0000.parquet", "train"],
    ["default/dev/a/0.parquet", "validation"],
    ["train/test-0.parquet", "test"],
    ["trainers.tar", undefined],
    ["a-train.tar", undefined],
  ];
  for (const [path, split] of cases) assert.equal(splitOfPath(path), split, path);
});
