import assert from "node:assert/strict";
import { join } from "node:path";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { readDataset } from "../../../trainer/data/read_dataset.ts";
import { assertReadable, CORRUPTED, pairs, PICTURE, problem, withFiles } from "./samples.ts";

/** What the hub's library writes of a file's columns. */
function hubMetadata(features: Record<string, unknown>) {
  return { kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }] };
}

const EMOTIONS = hubMetadata({
  image: { _type: "Image" },
  label: { names: ["anger", "joy"], _type: "ClassLabel" },
});

type Cell = Uint8Array | null;

/** A file as the hub has it: pictures are structs of bytes and a path. */
function hubFile(
  cells: readonly Cell[],
  labels: readonly number[],
  rowGroupSize = 2,
): Uint8Array {
  const image = cells.map((bytes, i) => ({ bytes, path: `${i}.jpg` }));
  return new Uint8Array(parquetWriteBuffer({
    ...EMOTIONS,
    rowGroupSize,
    columnData: [
      { name: "image", data: image },
      { name: "label", data: BigInt64Array.from(labels, BigInt) },
    ],
    schema: [
      { name: "root", num_children: 2 },
      { name: "image", num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "label", type: "INT64", repetition_type: "OPTIONAL" },
    ],
  }));
}

/** A file of plain columns. */
function plainFile(columnData: ColumnSource[], metadata = {}): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({ ...metadata, columnData }));
}

const images = [PICTURE, PICTURE];

Deno.test("readDataset() reads a data set of the hub: structs, named labels, splits by file", async () => {
  const files = {
    "data/train-00000-of-00002.parquet": hubFile([PICTURE, PICTURE, PICTURE], [0, 1, 1]),
    "data/train-00001-of-00002.parquet": hubFile([PICTURE], [0]),
    "data/validation-00000-of-00001.parquet": hubFile([PICTURE], [1]),
    "data/test-00000-of-00001.parquet": hubFile([PICTURE, PICTURE], [1, -1]),
    "README.md": "# A data set",
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`parquet:${folder}`);
    assert.deepEqual(
      dataset.examples.map(({ name, label, split }) => [name, label, split]),
      [
        ["data/test-00000-of-00001.parquet#0", "joy", "test"],
        ["data/train-00000-of-00002.parquet#0", "anger", "train"],
        ["data/train-00000-of-00002.parquet#1", "joy", "train"],
        ["data/train-00000-of-00002.parquet#2", "joy", "train"],
        ["data/train-00001-of-00002.parquet#0", "anger", "train"],
        ["data/validation-00000-of-00001.parquet#0", "joy", "validation"],
      ],
    );
    assert.deepEqual(dataset.notes, ["Pictures left out because they have no label: 1."]);
    await assertReadable(dataset);
    await dataset.close?.();
  });
});

Deno.test("readDataset() takes splits of Parquet files from their folders, too", async () => {
  const files = {
    "default/train/0000.parquet": hubFile(images, [0, 1]),
    "default/test/0000.parquet": hubFile(images, [0, 1]),
  };
  await withFiles(files, async (folder) => {
    const { examples } = await readDataset(
      `parquet:${join(folder, "default/{train,test}/*.parquet")}`,
    );
    assert.deepEqual(examples.map(({ split }) => split), ["train", "train", "test", "test"]);
    assert.deepEqual(new Set(examples.map(({ name }) => name)).size, 4);
  });
});

Deno.test("readDataset() keeps a Parquet file's picture bytes as they are, in any compression", async () => {
  // Bytes that are no UTF-8: decoded as text they would be spoilt.
  const bytes = Uint8Array.from({ length: 999 }, (_, i) => (i * 7) % 256);
  const compressors = {
    GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
    BROTLI: (bytes: Uint8Array) => new Uint8Array(brotliCompressSync(bytes)),
    ZSTD: (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes)),
  };
  for (const codec of ["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD"] as const) {
    const file = plainFile([
      { name: "image", data: [bytes, PICTURE, bytes], type: "BYTE_ARRAY" },
      { name: "emotion", data: ["joy", "fear", "fear"], type: "STRING" },
    ], codec === "SNAPPY" ? { codec } : { codec, compressors });
    await withFiles({ "all.parquet": file }, async (folder) => {
      const dataset = await readDataset(`parquet:${join(folder, "all.parquet")}`);
      assert.deepEqual(pairs(dataset).map(([, label]) => label), ["joy", "fear", "fear"]);
      const read = await Promise.all(dataset.examples.map((example) => example.read()));
      assert.deepEqual(read, [bytes, PICTURE, bytes]);
      await dataset.close?.();
    });
  }
});

Deno.test("readDataset() reads a Parquet file's pictures in any order, and many at once", async () => {
  const cells = Array.from({ length: 30 }, (_, i) => new Uint8Array(i + 1).fill(i));
  const file = hubFile(cells, cells.map((_, i) => i % 2), 4);
  await withFiles({ "all.parquet": file }, async (folder) => {
    const dataset = await readDataset(`parquet:${folder}`);
    const order = [...dataset.examples.keys()].sort((a, b) => (a * 7) % 30 - (b * 7) % 30);
    const read = await Promise.all(order.map((i) => dataset.examples[i].read()));
    assert.deepEqual(read, order.map((i) => cells[i]));
    await dataset.close?.();
  });
});

Deno.test("readDataset() lists a Parquet file with corrupted and missing pictures, and says so on reading", async () => {
  const file = hubFile([PICTURE, CORRUPTED, null], [0, 1, 1]);
  await withFiles({ "all.parquet": file }, async (folder) => {
    const { examples, close } = await readDataset(`parquet:${folder}`);
    assert.deepEqual(await examples[1].read(), CORRUPTED);
    assert.equal(
      await problem(examples[2].read()),
      'Cannot read the picture of row 2 in ~/all.parquet: its column "image" has no bytes there',
    );
    await Deno.remove(join(folder, "all.parquet"));
    await close?.();
    assert.match(
      await problem(examples[0].read()),
      /^Cannot read the picture of row 0 in ~\/all\.parquet: No such file/,
    );
  });
});

Deno.test("readDataset() groups a Parquet file by a column", async () => {
  const file = plainFile([
    { name: "image", data: images, type: "BYTE_ARRAY" },
    { name: "label", data: ["joy", "fear"], type: "STRING" },
    { name: "theme", data: ["dog", "dog"], type: "STRING" },
  ]);
  await withFiles({ "all.parquet": file }, async (folder) => {
    const dataset = await readDataset(`parquet:${folder}`, { groupBy: "theme" });
    assert.deepEqual(dataset.examples.map(({ group }) => group), ["dog", "dog"]);
    assert.match(dataset.description, /2 pictures, 2 labels, grouped by theme$/);
  });
});

Deno.test("readDataset() asks which column is meant where that is not clear", async () => {
  const file = plainFile([
    { name: "before", data: images, type: "BYTE_ARRAY" },
    { name: "after", data: images, type: "BYTE_ARRAY" },
    { name: "mood", data: ["joy", "fear"], type: "STRING" },
  ]);
  await withFiles({ "all.parquet": file }, async (folder) => {
    const spec = `parquet:${join(folder, "all.parquet")}`;
    const columns = 'Its columns are "before", "after", "mood"';
    assert.equal(
      await problem(readDataset(spec)),
      `Cannot read ~/all.parquet: "before", "after" could all hold pictures. ${columns}. ` +
        "Name the column with --picture-column",
    );
    assert.equal(
      await problem(readDataset(spec, { pictureColumn: "after" })),
      `Cannot read ~/all.parquet: no column is known to hold labels. ${columns}. ` +
        "Name the column with --label-column",
    );
    assert.equal(
      await problem(readDataset(spec, { pictureColumn: "during" })),
      `Cannot read ~/all.parquet: there is no column "during". ${columns}`,
    );
    const dataset = await readDataset(spec, { pictureColumn: "after", labelColumn: "mood" });
    assert.deepEqual(dataset.labels, ["fear", "joy"]);
    assert.match(
      await problem(readDataset(spec, {
        pictureColumn: "after",
        labelColumn: "mood",
        groupBy: "theme",
      })),
      /there is no column "theme"/,
    );
  });
});

Deno.test("readDataset() refuses what is no Parquet file", async () => {
  const cut = hubFile(images, [0, 1]).slice(0, -20);
  await withFiles({ "text.parquet": "file,label\n", "cut.parquet": cut }, async (folder) => {
    for (const name of ["text.parquet", "cut.parquet"]) {
      assert.match(
        await problem(readDataset(`parquet:${join(folder, name)}`)),
        new RegExp(
          `^Cannot read ~/${name}: it is no Parquet file, or damaged \\(.+\\)\\. Get the file again$`,
        ),
      );
    }
  });
});
