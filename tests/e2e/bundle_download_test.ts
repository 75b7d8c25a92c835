/**
 * A large model, downloaded by many at once from a server that must not hold it once for each of them.
 */

import { describeFile, MANIFEST_PATH, sha256, writeManifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { type ServerProcess, startServer } from "./server_process.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

const MEGABYTE = 1_000_000;
const BYTES = 90 * MEGABYTE;
const CLIENTS = 20;

/** A bundle with an encoder of 90 MB for WebGPU, which this server does not run: zeros. */
async function makeLargeBundle() {
  const { files, manifest } = await makeSyntheticBundle();
  const [encoder] = manifest.encoders;
  const zeros = new Uint8Array(BYTES);
  const large = { ...encoder, backends: ["webgpu"], file: await describeFile("large.onnx", zeros) };
  const encoders = [encoder, large];
  return new Map([
    ...files,
    ["large.onnx", zeros],
    [MANIFEST_PATH, writeManifest({ ...manifest, encoders })] as const,
  ]);
}

/** What the process holds of the machine's memory, in bytes, and how many files it has open. */
async function measure({ pid }: ServerProcess): Promise<{ memory: number; files: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kilobytes = Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]);
  const files = await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`));
  return { memory: kilobytes * 1024, files: files.length };
}

/** Reads a little of the model, and then no more. */
async function startReading(url: string): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const { body } = await fetch(`${url}/v1/bundle/large.onnx`);
  const reader = body?.getReader() ?? assert.fail();
  await reader.read();
  return reader;
}

Deno.test({
  name:
    "20 who download a model of 90 MB at once cost the server a fraction of one, also when they hang up",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await makeTemporaryFolder("bundle_download");
    try {
      await writeBundleFiles(await makeLargeBundle(), folder.url);
      const server = await startServer(folder.path, "--workers", "1", "--backend", "wasm");
      try {
        const whole = await fetch(`${server.url}/v1/bundle/large.onnx`);
        assert.equal(whole.headers.get("Content-Length"), String(BYTES));
        const bytes = new Uint8Array(await whole.arrayBuffer());
        assert.equal(`"${await sha256(bytes)}"`, whole.headers.get("ETag"));

        const before = await measure(server);
        const readers = await Promise.all(
          Array.from({ length: CLIENTS }, () => startReading(server.url)),
        );
        await new Promise((resolve) => setTimeout(resolve, 500));
        const during = await measure(server);
        const grown = (during.memory - before.memory) / MEGABYTE;
        console.log(`${CLIENTS} downloads under way take ${grown.toFixed(1)} MB`);
        assert.ok(grown < 45, `${grown} MB`);
        assert.ok(during.files >= before.files + CLIENTS, "all of them were under way");

        await Promise.all(readers.slice(1).map((reader) => reader.cancel()));
        let left = BYTES;
        for (let piece = await readers[0].read(); piece.value; piece = await readers[0].read()) {
          left -= piece.value.length;
        }
        assert.ok(left > 0 && left < MEGABYTE, "the others' end is not that of this one");
        await new Promise((resolve) => setTimeout(resolve, 500));
        const after = await measure(server);
        assert.ok(
          after.files <= before.files + 2,
          `${after.files - before.files} files stayed open`,
        );
      } finally {
        await server.stop();
      }
    } finally {
      await folder.remove();
    }
  },
});
