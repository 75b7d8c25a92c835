import assert from "node:assert/strict";
import {
  MAX_PART_BYTES,
  partedFiles,
  type PartList,
  PARTS_PATH,
  planParts,
} from "../../edge/adapter/workerd/parted_files.ts";

const text = (text: string) => new TextEncoder().encode(text);

/** A store of some files, and what is asked of it. */
function makeStore(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>, parts?: PartList) {
  const asked: string[] = [];
  const all = new Map(Object.entries(files));
  if (parts) all.set(PARTS_PATH, text(JSON.stringify(parts)));
  const source = partedFiles((path) => {
    asked.push(path);
    const bytes = all.get(path);
    return Promise.resolve(bytes && new Response(bytes));
  });
  return { source, asked };
}

Deno.test("planParts() leaves a file whole as long as it may be", () => {
  assert.deepEqual(planParts("encoder.onnx", MAX_PART_BYTES), []);
});

Deno.test("planParts() cuts a file into parts without gaps, none of them too large", () => {
  for (const bytes of [MAX_PART_BYTES + 1, 30_000_000, 4 * MAX_PART_BYTES]) {
    const parts = planParts("models/encoder.onnx", bytes);
    assert.equal(parts.length, Math.ceil(bytes / MAX_PART_BYTES));
    let at = 0;
    for (const { path, start, end } of parts) {
      assert.match(path, /^models\/encoder\.onnx\.part\d+$/);
      assert.equal(start, at);
      assert.ok(end - start <= MAX_PART_BYTES && end > start);
      at = end;
    }
    assert.equal(at, bytes);
    assert.equal(new Set(parts.map(({ path }) => path)).size, parts.length);
  }
});

Deno.test("partedFiles() joins parts, and gives other files as they are", async () => {
  const { source, asked } = makeStore(
    { a: text("one "), b: text("two "), c: text("three"), other: text("other") },
    { long: { bytes: 13, parts: ["a", "b", "c"] } },
  );
  const read = async (path: string) => new TextDecoder().decode(await source.read(path));
  assert.deepEqual(await Promise.all(["long", "other"].map(read)), ["one two three", "other"]);
  assert.equal(await source.read("none"), undefined);
  assert.equal(asked.filter((path) => path === PARTS_PATH).length, 1, "the list is read once");
});

Deno.test("partedFiles() needs no list", async () => {
  const { source } = makeStore({ a: text("one") });
  assert.deepEqual(await source.read("a"), text("one"));
});

Deno.test("partedFiles() refuses parts that are missing, too short or too long", async () => {
  const files = { a: text("one"), b: text("two") };
  for (
    const [bytes, parts, says] of [
      [9, ["a", "b", "c"], /part of long is missing: c/],
      [7, ["a", "b"], /parts of long are not 7 bytes/],
      [5, ["a", "b"], /parts of long are not 5 bytes/],
    ] as const
  ) {
    const { source } = makeStore(files, { long: { bytes, parts } });
    await assert.rejects(source.read("long"), says);
  }
});
