/**
 * `deno task embed`, as a user runs it: whole data sets, shares of them, runs that are killed, and what it refuses.
 */

import assert from "node:assert/strict";
import { readPicture } from "../../golden_file.ts";
import { embed, embedCommand } from "./embed_command.ts";
import { writeEncoder, writePictures } from "./made_up.ts";
import { withFolder } from "./temporary_folder.ts";

/** A folder with pictures and an encoder. */
function withPictures(count: number, test: (folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    await writePictures(folder, count);
    await writeEncoder(folder);
    await test(folder);
  });
}

/** What a user writes to embed the pictures into `cache`. */
const EMBED = [
  "--data=folder:pictures",
  "--encoder=encoder/encoder.onnx",
  "--backend=wasm",
  "--json",
];

/** Bytes in all shards of a cache, or 0 where there is none. */
async function bytesIn(cache: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const store of Deno.readDir(cache)) {
      for await (const { name } of Deno.readDir(`${cache}/${store.name}`)) {
        if (!name.endsWith(".embeddings")) continue;
        bytes += (await Deno.stat(`${cache}/${store.name}/${name}`)).size;
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return bytes;
}

/** Waits until a process has written so much into its cache. */
async function waitForBytes(process: Deno.ChildProcess, cache: string, bytes: number) {
  let hasEnded = false;
  process.status.then(() => hasEnded = true);
  while (await bytesIn(cache) < bytes) {
    assert.ok(!hasEnded, "it ended before");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const RECORD_BYTES = 32 + 8 + 4 * 256 + 4;

Deno.test("embed goes on where it was when it is killed", () =>
  withPictures(200, async (folder) => {
    const command = embedCommand(folder, ...EMBED, "--cache=cache");
    const killed = command.spawn();
    const output = killed.output();
    await waitForBytes(killed, `${folder}/cache`, 10 * RECORD_BYTES);
    killed.kill("SIGKILL");
    assert.equal((await output).signal, "SIGKILL");
    const kept = Math.floor(await bytesIn(`${folder}/cache`) / RECORD_BYTES);
    assert.ok(kept < 200, "it was killed too late");

    const { code, stdout, stderr } = await embed(folder, ...EMBED, "--cache=cache");
    assert.equal(code, 0, stderr);
    const { pictures, cached, embedded, damaged } = JSON.parse(stdout);
    assert.deepEqual(
      { pictures, cached, embedded, damaged },
      { pictures: 200, cached: kept, embedded: 200 - kept, damaged: 0 },
    );
  }));

Deno.test("embed keeps what it has when it is interrupted, and says so", () =>
  withPictures(200, async (folder) => {
    const process = embedCommand(folder, ...EMBED, "--cache=cache").spawn();
    const output = process.output();
    await waitForBytes(process, `${folder}/cache`, 1);
    process.kill("SIGINT");
    const { code, stderr } = await output;
    assert.equal(code, 1);
    assert.match(
      new TextDecoder().decode(stderr),
      /error: Stopped\. The embeddings so far are kept/,
    );
    assert.equal(await bytesIn(`${folder}/cache`) % RECORD_BYTES, 0);
  }));

Deno.test("embed --shard takes shares that together are the whole, and --merge puts them together", () =>
  withPictures(10, async (folder) => {
    await Deno.writeFile(`${folder}/pictures/odd/bad.jpg`, await readPicture("bad/truncated.jpg"));
    const runs = await Promise.all(
      [1, 2, 3].map((i) =>
        embed(
          folder,
          ...EMBED,
          "--workers=1",
          `--shard=${i}/3`,
          `--cache=share${i}`,
          `--unreadable=bad${i}.jsonl`,
        )
      ),
    );
    const shares = runs.map(({ stdout, stderr }) => {
      assert.match(stdout, /^\{/, stderr);
      return JSON.parse(stdout);
    });
    assert.deepEqual(shares.map(({ pictures }) => pictures), [4, 4, 3]);
    assert.equal(shares.reduce((sum, { embedded }) => sum + embedded, 0), 10);
    const unreadable = await Promise.all(
      [1, 2, 3].map((i) => Deno.readTextFile(`${folder}/bad${i}.jsonl`)),
    );
    assert.match(unreadable.join(""), /^\{"name":"odd\/bad\.jpg","why":"[^"]*cut off"\}\n$/);

    const merged = await embed(
      folder,
      "--merge",
      "share1",
      "share2",
      "share3",
      "--cache=whole",
    );
    assert.match(
      merged.stdout,
      /^10 pictures copied into .*whole, 0 known before\n$/,
      merged.stderr,
    );
    const again = await embed(folder, ...EMBED.slice(0, 3), "--cache=whole");
    assert.match(
      again.stdout,
      /^11 pictures: 0 embedded \(wasm\), 10 known before, 1 unreadable\./,
    );
    assert.match(again.stderr, /Left out odd\/bad\.jpg: The JPEG ends before its data does/);
  }));

const MISTAKES: Readonly<Record<string, readonly [args: readonly string[], says: RegExp]>> = {
  "no data": [["--encoder=e.onnx"], /^error: --data is needed\./],
  "no encoder": [["--data=folder:pictures"], /^error: --encoder or --bundle is needed\./],
  "a share that is none": [[...EMBED, "--shard=4/3"], /^error: --shard must be I\/N with I from 1/],
  "a backend that is none": [
    [...EMBED.slice(0, 2), "--backend=gpu"],
    /^error: --backend must be auto,/,
  ],
  "a folder without --merge": [[...EMBED, "other"], /^error: There is no place for "other"/],
  "a merge of a data set": [
    ["--merge=a", "--data=folder:b"],
    /^error: --merge does not go with --data/,
  ],
};

Deno.test("embed refuses what it cannot do, in a sentence", async () => {
  const runs = Object.entries(MISTAKES).map(async ([mistake, [args, says]]) => {
    const { code, stderr } = await embed(".", ...args);
    assert.match(stderr, says, mistake);
    assert.equal(code, 2, mistake);
  });
  await Promise.all(runs);
});
