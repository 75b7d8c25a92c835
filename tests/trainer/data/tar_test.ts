import assert from "node:assert/strict";
import { join } from "node:path";
import { pack } from "tar-stream";
import { readDataset } from "../../../trainer/data/read_dataset.ts";
import {
  assertReadable,
  CORRUPTED,
  type Files,
  pairs,
  PICTURE,
  problem,
  withFiles,
} from "./samples.ts";

/** A tar file with these members, in this order. */
async function tar(members: Files): Promise<Uint8Array<ArrayBuffer>> {
  const stream = pack();
  for (const [name, contents] of Object.entries(members)) {
    stream.entry({ name }, typeof contents === "string" ? contents : new Uint8Array(contents));
  }
  stream.finalize();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of stream) {
    assert.ok(chunk instanceof Uint8Array);
    chunks.push(new Uint8Array(chunk));
  }
  return await new Blob(chunks).bytes();
}

const SHARDS: Files = {
  "train-000.tar": await tar({
    "a.jpg": PICTURE,
    "a.cls": "1\n",
    "b.cls": "0",
    "b.png": PICTURE,
    "folder/c.JPEG": PICTURE,
    "folder/c.cls": "1",
  }),
  "train-001.tar": await tar({ "corrupted.webp": CORRUPTED, "corrupted.cls": "0" }),
  "test-000.tar": await tar({ "a.jpg": PICTURE, "a.cls": "1", "a.txt": "a dog" }),
};

Deno.test("readDataset() reads shards in their order, splits by their names", async () => {
  await withFiles(SHARDS, async (folder) => {
    const dataset = await readDataset(`tar:${folder}`);
    assert.deepEqual(
      dataset.examples.map(({ name, label, split }) => [name, label, split]),
      [
        ["test-000.tar/a.jpg", "1", "test"],
        ["train-000.tar/a.jpg", "1", "train"],
        ["train-000.tar/b.png", "0", "train"],
        ["train-000.tar/folder/c.JPEG", "1", "train"],
        ["train-001.tar/corrupted.webp", "0", "train"],
      ],
    );
    await assertReadable(dataset);
    await dataset.close?.();
    // A later read opens its file again.
    await assertReadable(dataset);
    await dataset.close?.();
  });
});

Deno.test("readDataset() reads pictures of shards in any order, and many at once", async () => {
  const members = Array.from({ length: 40 }, (_, i): [string, string | Uint8Array][] => [
    [`${i}.jpg`, new Uint8Array(i + 1).fill(i)],
    [`${i}.cls`, i % 2 === 0 ? "even" : "odd"],
  ]);
  const shards = await Promise.all(
    Array.from(
      { length: 8 },
      (_, shard) => tar(Object.fromEntries(members.slice(5 * shard, 5 * shard + 5).flat())),
    ),
  );
  const files = Object.fromEntries(shards.map((bytes, i) => [`${i}.tar`, bytes]));
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`tar:${join(folder, "{0..7}.tar")}`);
    const backwards = [...dataset.examples].reverse();
    const read = await Promise.all(backwards.map((example) => example.read()));
    assert.deepEqual(
      read,
      Array.from({ length: 40 }, (_, i) => new Uint8Array(40 - i).fill(39 - i)),
    );
    await dataset.close?.();
  });
});

Deno.test("readDataset() names labels by a file beside the shards", async () => {
  await withFiles({ ...SHARDS, "classnames.txt": "cat\ndog\n" }, async (folder) => {
    const dataset = await readDataset(`tar:${join(folder, "train-*.tar")}`);
    assert.deepEqual(dataset.labels, ["cat", "dog"]);
    assert.equal(dataset.examples[0].label, "dog");
    assert.deepEqual(dataset.notes, [
      "Labels are named by classnames.txt, which lies beside the shards.",
    ]);
  });
});

Deno.test("readDataset() leaves indexes alone where the file beside the shards has fewer names", async () => {
  await withFiles({ ...SHARDS, "classes.txt": "cat\n" }, async (folder) => {
    assert.deepEqual((await readDataset(`tar:${folder}`)).labels, ["0", "1"]);
  });
});

Deno.test("readDataset() takes labels of shards from JSON, and leaves out what has none", async () => {
  const shard = await tar({
    "a.jpg": PICTURE,
    "a.json": '{"label": "joy", "mood": 3}',
    "b.jpg": PICTURE,
    "b.json": '{"label": "fear", "mood": 4}',
    "c.jpg": PICTURE,
    "c.json": '{"caption": "a dog"}',
    "d.jpg": PICTURE,
  });
  await withFiles({ "all.tar": shard }, async (folder) => {
    const spec = `tar:${join(folder, "all.tar")}`;
    const dataset = await readDataset(spec);
    assert.deepEqual(pairs(dataset), [["all.tar/a.jpg", "joy"], ["all.tar/b.jpg", "fear"]]);
    assert.deepEqual(dataset.notes, ["Pictures left out because they have no label: 2."]);
    assert.equal(dataset.name, "all");
    const moods = await readDataset(spec, { labelColumn: "mood" });
    assert.deepEqual(moods.labels, ["3", "4"]);
  });
});

Deno.test("readDataset() reads shards whose members have long and foreign names", async () => {
  const long = "folder/".repeat(30) + "año";
  const shard = await tar({
    [`${long}.jpg`]: PICTURE,
    [`${long}.cls`]: "joy",
    "b.jpg": PICTURE,
    "b.cls": "fear",
  });
  await withFiles({ "all.tar": shard }, async (folder) => {
    const dataset = await readDataset(`tar:${folder}`);
    assert.deepEqual(pairs(dataset), [[`all.tar/${long}.jpg`, "joy"], ["all.tar/b.jpg", "fear"]]);
    await assertReadable(dataset);
    await dataset.close?.();
  });
});

Deno.test("readDataset() refuses shards that are compressed, with the mend", async () => {
  const gzip = await new Response(
    new Blob([await tar({ "a.jpg": PICTURE, "a.cls": "0" })]).stream()
      .pipeThrough(new CompressionStream("gzip")),
  ).bytes();
  await withFiles({ "a.tar.gz": gzip, "disguised/a.tar": gzip }, async (folder) => {
    assert.equal(
      await problem(readDataset(`tar:${join(folder, "a.tar.gz")}`)),
      "Cannot read ~/a.tar.gz: it is compressed, so no picture can be read from its middle. " +
        "Unpack it to a .tar, as with gunzip a.tar.gz",
    );
    assert.match(
      await problem(readDataset(`tar:${join(folder, "disguised")}`)),
      /a\.tar: it is compressed, .* Unpack it: gunzip$/,
    );
  });
});

Deno.test("readDataset() refuses shards that are damaged, cut or no tar files", async () => {
  const shard = await tar({ "a.jpg": PICTURE, "a.cls": "0", "b.jpg": PICTURE, "b.cls": "1" });
  const damaged = shard.slice();
  damaged.fill(65, 512 + Math.ceil(PICTURE.length / 512) * 512, undefined);
  const files = {
    "damaged.tar": damaged,
    "cut.tar": shard.slice(0, 700),
    "text.tar": "file,label\n".repeat(100),
  };
  await withFiles(files, async (folder) => {
    const said = (name: string) => problem(readDataset(`tar:${join(folder, name)}`));
    const at = 512 + Math.ceil(PICTURE.length / 512) * 512;
    assert.equal(
      await said("damaged.tar"),
      `Cannot read ~/damaged.tar: it is damaged: at byte ${at} there should be a member's header. ` +
        "Get the file again",
    );
    assert.equal(
      await said("cut.tar"),
      "Cannot read ~/cut.tar: it ends in the middle of a.jpg. Get the file again",
    );
    assert.equal(await said("text.tar"), "Cannot read ~/text.tar: it is no tar file");
  });
});

Deno.test("readDataset() says of a shard's picture that it can no longer be read", async () => {
  await withFiles(SHARDS, async (folder) => {
    const dataset = await readDataset(`tar:${folder}`);
    await Deno.truncate(join(folder, "train-001.tar"), 600);
    await Deno.remove(join(folder, "test-000.tar"));
    assert.equal(
      await problem(dataset.examples[4].read()),
      "Cannot read the picture corrupted.webp in ~/train-001.tar: the file has become shorter since " +
        "it was listed",
    );
    assert.match(
      await problem(dataset.examples[0].read()),
      /^Cannot read the picture a\.jpg in ~\/test-000\.tar: No such file/,
    );
    await dataset.close?.();
  });
});

Deno.test("readDataset() says what shards hold where none has labelled pictures", async () => {
  await withFiles(
    { "a.tar": await tar({ "a.jpg": PICTURE, "a.txt": "a dog" }) },
    async (folder) => {
      assert.equal(
        await problem(readDataset(`tar:${folder}`)),
        "Cannot read ~/: no member has both a picture and a label. Of each key there should be a .jpg, " +
          '.png or .webp and a .cls, or a .json with "label"; there are a.jpg, a.txt',
      );
      assert.match(
        await problem(readDataset(`tar:${folder}`, { groupBy: "theme" })),
        /by "theme": shards have no columns/,
      );
    },
  );
});

Deno.test("readDataset() refuses shards where a key has two pictures, or JSON is none", async () => {
  const twice = await tar({ "a.jpg": PICTURE, "a.png": PICTURE, "a.cls": "0" });
  const broken = await tar({ "a.jpg": PICTURE, "a.json": "{label" });
  await withFiles({ "twice.tar": twice, "broken.tar": broken }, async (folder) => {
    assert.equal(
      await problem(readDataset(`tar:${join(folder, "twice.tar")}`)),
      "Cannot read ~/twice.tar: it has two png members with the key a. Rename one",
    );
    assert.match(
      await problem(readDataset(`tar:${join(folder, "broken.tar")}`)),
      /broken\.tar: a\.json is not JSON \(.*\)\. Mend or remove it/,
    );
  });
});

const TINY = new URL("../../../../shared/data/tiny_imagenet", import.meta.url).pathname;
const isThere = await Deno.stat(TINY).then(() => true, () => false);

Deno.test({
  name: "readDataset() lists 30,000 pictures in shards within seconds" +
    (isThere ? "" : " (left out: Tiny ImageNet's shards are not beside the checkout)"),
  ignore: !isThere,
  async fn() {
    const start = performance.now();
    const dataset = await readDataset(`tar:${TINY}`);
    assert.ok(performance.now() - start < 10_000);
    assert.deepEqual([dataset.examples.length, dataset.labels.length], [30_000, 200]);
    // In this shuffled set a picture's name starts with its class: labels went to the right pictures.
    for (const { name, label } of dataset.examples) assert.ok(name.split("/")[1].startsWith(label));
    for (const { read } of dataset.examples.filter((_, i) => i % 300 === 0)) {
      assert.deepEqual((await read()).slice(0, 3), Uint8Array.of(0xFF, 0xD8, 0xFF));
    }
    await dataset.close?.();
  },
});
