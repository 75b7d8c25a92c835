/**
 * Files that flow: every source that can stream gives the same bytes as when it reads, from wherever it is asked to begin.
 */

import { type BundleSource, describeFile, MANIFEST_PATH, writeManifest } from "@clip-e/shared";
import { folderSource as nodeFolderSource } from "@clip-e/edge/node";
import assert from "node:assert/strict";
import { folderSource } from "../../edge/adapter/deno/folder_source.ts";
import {
  MAX_PART_BYTES,
  partedFiles,
  wholeFiles,
} from "../../edge/adapter/workerd/parted_files.ts";
import type { CacheLike } from "../../edge/http/file_cache.ts";
import { httpSource } from "../../edge/http_source.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const BYTES = new Uint8Array(200_000).map((_, i) => i * 31 % 251);

const STARTS = [0, 1, 65_536, 150_001, BYTES.length - 1, BYTES.length];

/** Asserts of a source that it streams `file.bin`, whose bytes these are, and knows no `none.bin`. */
async function assertStreams(
  source: BundleSource,
  bytes = BYTES,
  starts: readonly number[] = STARTS,
): Promise<void> {
  const { length } = bytes;
  for (const start of starts) {
    const stream = await source.stream?.("file.bin", start);
    assert.ok(stream, `from ${start}`);
    const streamed = new Uint8Array(await new Response(stream).arrayBuffer());
    assert.equal(streamed.length, length - start);
    assert.ok(streamed.every((byte, i) => byte === bytes[start + i]), `from ${start}`);
  }
  assert.equal(await source.stream?.("none.bin", 0), undefined);
  // A file that stayed open would fail the test.
  for (let i = 0; i < 3; i++) {
    const stream = await source.stream?.("file.bin", i * 10);
    if (i === 2) return await stream?.cancel();
    const reader = stream?.getReader();
    await reader?.read();
    await reader?.cancel();
  }
}

Deno.test("folderSource() streams files, of Deno and of Node, and lets go of them", async () => {
  const folder = await makeTemporaryFolder("stream");
  try {
    await Deno.writeFile(new URL("file.bin", folder.url), BYTES);
    await assertStreams(folderSource(folder.url));
    await assertStreams(nodeFolderSource(folder.url));
  } finally {
    await folder.remove();
  }
});

/** A store of files that counts what was opened and not let go of. */
function makeStore(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>) {
  const asked: string[] = [];
  const open = (path: string) => {
    asked.push(path);
    const bytes = files[path];
    // A byte stream, as a platform's is.
    return Promise.resolve(bytes && new Response(new Blob([bytes]).stream()));
  };
  return { asked, open };
}

Deno.test("wholeFiles() streams what a store has", async () => {
  await assertStreams(wholeFiles(makeStore({ "file.bin": BYTES }).open));
});

Deno.test("partedFiles() streams parts one after the other, and does not open those before the start", async () => {
  const long = new Uint8Array(2 * MAX_PART_BYTES + 1000).fill(7);
  for (let i = 0; i < long.length; i += 997) long[i] = i % 251;
  const cut = (k: number) => long.slice(k * MAX_PART_BYTES, (k + 1) * MAX_PART_BYTES);
  const list = { "file.bin": { bytes: long.length, parts: ["a", "b", "c"] } };
  const { asked, open } = makeStore({
    "parts.json": new TextEncoder().encode(JSON.stringify(list)),
    a: cut(0),
    b: cut(1),
    c: cut(2),
  });
  const source = partedFiles(open);
  const starts = [0, MAX_PART_BYTES - 1, MAX_PART_BYTES, 2 * MAX_PART_BYTES + 999];
  await assertStreams(source, long, starts);
  asked.length = 0;
  const last = await source.stream("file.bin", 2 * MAX_PART_BYTES + 10);
  assert.equal((await new Response(last).arrayBuffer()).byteLength, 990);
  assert.deepEqual(asked, ["c"]);
});

Deno.test("partedFiles() breaks a stream off where a part is missing, and names it", async () => {
  const list = { "file.bin": { bytes: 3, parts: ["a", "b"] } };
  const { open } = makeStore({
    "parts.json": new TextEncoder().encode(JSON.stringify(list)),
    a: new Uint8Array(2),
  });
  const stream = await partedFiles(open).stream("file.bin", 0);
  await assert.rejects(new Response(stream).arrayBuffer(), /file\.bin is missing: b/);
});

/** A server of one file and a manifest that names it, with or without knowledge of ranges. */
async function makeServer(hasRanges: boolean) {
  const { manifest } = await makeSyntheticBundle();
  const [encoder] = manifest.encoders;
  const file = await describeFile("file.bin", BYTES);
  const files = new Map([
    ["/file.bin", BYTES],
    ["/manifest.json", writeManifest({ ...manifest, encoders: [{ ...encoder, file }] })],
  ]);
  const asked: string[] = [];
  const fetch = (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    const start = Number(request.headers.get("Range")?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
    const bytes = files.get(pathname);
    const isPart = hasRanges && start > 0;
    return Promise.resolve(
      bytes
        ? new Response(bytes.subarray(isPart ? start : 0), { status: isPart ? 206 : 200 })
        : new Response("gone", { status: 404 }),
    );
  };
  return { asked, fetch };
}

Deno.test("httpSource() passes on what a server sends, with or without ranges", async () => {
  for (const hasRanges of [true, false]) {
    const { fetch } = await makeServer(hasRanges);
    await assertStreams(httpSource("https://example.com/", { fetch }));
  }
});

Deno.test("httpSource() streams what it has kept, and asks no server for it", async () => {
  const { asked, fetch } = await makeServer(true);
  const kept = new Map<string, Response>();
  const cache: CacheLike = {
    match: (key) => Promise.resolve(kept.get(key)?.clone()),
    put: (key, answer) => Promise.resolve(void kept.set(key, answer)),
    delete: (key) => Promise.resolve(kept.delete(key)),
  };
  const source = httpSource("https://example.com/", { fetch, cache });
  await source.read(MANIFEST_PATH);
  await source.read("file.bin");
  asked.length = 0;
  const stream = await source.stream?.("file.bin", 100_000);
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  assert.deepEqual(bytes, BYTES.subarray(100_000));
  assert.deepEqual(asked, []);
});

Deno.test("httpSource() says why a file does not flow, without a URL's secrets", async () => {
  const url = "https://user:password@example.com/?signature=secret";
  const busy = () => Promise.resolve(new Response("busy", { status: 500 }));
  const down = () =>
    Promise.reject(new TypeError("cannot reach https://example.com/?signature=secret"));
  for (const fetch of [busy, down]) {
    const source = httpSource(url, { fetch });
    await assert.rejects(async () => await source.stream?.("file.bin", 0), (error: Error) => {
      assert.match(error.message, /^Cannot read https:\/\/example\.com\/file\.bin: /);
      assert.doesNotMatch(error.message, /secret|password/);
      return true;
    });
  }
});
