import assert from "node:assert/strict";
import { join } from "node:path";
import { readLines } from "../../../trainer/data/text_file.ts";
import { problem, withFiles } from "./samples.ts";

async function linesOf(contents: string | Uint8Array): Promise<string[]> {
  const lines: string[] = [];
  await withFiles({ "list.txt": contents }, (folder) => {
    lines.push(...readLines(join(folder, "list.txt"), "Look elsewhere"));
    return Promise.resolve();
  });
  return lines;
}

Deno.test("readLines() ends lines at any line end, and drops a byte order mark", async () => {
  assert.deepEqual(await linesOf("\uFEFFa\r\nb\n\nc\rd"), ["a", "b", "", "c", "d"]);
  assert.deepEqual(await linesOf("a\r"), ["a"]);
  assert.deepEqual(await linesOf(""), [""]);
});

Deno.test("readLines() reads lines and letters whole that lie across the pieces of a long file", async () => {
  // A piece is 65,536 bytes: the line end, or the letter, starts at its last byte.
  for (const across of ["\r\n", "ñ", "\n\r\n", "😂"]) {
    const text = "x".repeat(65_535) + across + "y\r\n" + "z".repeat(200_000);
    assert.deepEqual(await linesOf(text), text.split(/\r\n|\n/), JSON.stringify(across));
  }
});

Deno.test("readLines() refuses a file that is missing or not UTF-8", async () => {
  const refused = (contents: Uint8Array) => problem(linesOf(contents));
  assert.match(await refused(Uint8Array.of(97, 0xF1, 10)), /it is not UTF-8 text/);
  // Cut in the middle of a letter.
  assert.match(await refused(Uint8Array.of(97, 0xC3)), /it is not UTF-8 text/);
  await withFiles({}, async (folder) => {
    const read = () =>
      Promise.resolve().then(() => [...readLines(join(folder, "a"), "Look elsewhere")]);
    assert.equal(await problem(read()), "Cannot read ~/a: there is no such file. Look elsewhere");
  });
});
