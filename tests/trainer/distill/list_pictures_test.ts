import assert from "node:assert/strict";
import { pack } from "tar-stream";
import { listPictures } from "../../../trainer/distill/list_pictures.ts";
import { PICTURE, pictures, problem, withFiles } from "../data/samples.ts";

/** A tar file of members without labels. */
async function tar(names: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const stream = pack();
  for (const name of names) stream.entry({ name }, new Uint8Array(PICTURE));
  stream.finalize();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of stream) {
    assert.ok(chunk instanceof Uint8Array);
    chunks.push(new Uint8Array(chunk));
  }
  return await new Blob(chunks).bytes();
}

const FILES = {
  ...pictures(["photos/b.png", "photos/2020/a.JPG", "photos/.hidden.jpg"]),
  "photos/notes.txt": "no picture",
  "shards/1.tar": await tar(["c.webp", "c.cls"]),
  "shards/0.tar": await tar(["d/e.jpg"]),
  "empty/notes.txt": "nothing here",
  "empty.tar": await tar(["a.txt"]),
};

Deno.test("listPictures() finds pictures without labels in folders and tar files, in order", () =>
  withFiles(FILES, async (folder) => {
    const found = await listPictures([`${folder}/photos`, `tar:${folder}/shards/*.tar`]);
    assert.deepEqual(found.map(({ name }) => name), [
      "2020/a.JPG",
      "b.png",
      "0.tar/d/e.jpg",
      "1.tar/c.webp",
    ]);
    for (const { read } of found) assert.deepEqual(await read(), PICTURE);
  }));

Deno.test("listPictures() says where there are none", () =>
  withFiles(FILES, async (folder) => {
    for (
      const [spec, why] of [
        [`${folder}/empty`, /there is no picture \(.*\), but notes\.txt/],
        [`${folder}/nowhere`, /it is no folder that can be read/],
        [`tar:${folder}/empty.tar`, /no member is a picture/],
      ] as const
    ) {
      assert.match(await problem(listPictures([spec])), why);
    }
  }));
