/**
 * Real workers, on the backend that is there everywhere, and on the native one where it is installed.
 */

import assert from "node:assert/strict";
import { openEncoder } from "@clip-e/edge/encoder";
import { preprocess, sha256 } from "@clip-e/shared";
import { decodeFile } from "../../../trainer/embedding/decode_file.ts";
import { chooseBackend } from "../../../trainer/embedding/choose_backend.ts";
import { openEmbedder } from "../../../trainer/embedding/embedder.ts";
import { perceptualHash } from "../../../trainer/embedding/perceptual_hash.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { readPicture } from "../../golden_file.ts";
import { isNativeInstalled, unlessInstalled } from "../../native_installed.ts";
import { isWebGpuWanted, UNLESS_WANTED } from "../../webgpu_wanted.ts";
import { drawPicture, makeEncoder } from "./made_up.ts";
import { withFolder } from "./temporary_folder.ts";

const encoder = await makeEncoder();
const picture = (name: string, read: () => Promise<Uint8Array<ArrayBuffer>>, label = "any") => ({
  name,
  label,
  read,
});

/** Twelve pictures, the last two the same, and two that cannot be decoded. */
const EXAMPLES = [
  ...Array.from({ length: 11 }, (_, i) => picture(`${i}.jpg`, () => drawPicture(i), `${i % 2}`)),
  picture("10 again.jpg", () => drawPicture(10)),
  picture("bad.png", () => readPicture("bad/corrupt.png")),
  picture("bad.jpg", () => readPicture("bad/truncated.jpg")),
];
const READABLE = EXAMPLES.slice(0, 12);

Deno.test("openEmbedder() gives what decoding, preprocessing and encoding one by one gives", () =>
  withFolder(async (cache) => {
    const embedder = await openEmbedder(encoder, cache, { backend: "wasm", workers: 2 });
    const one = await openEncoder(encoder.bytes, encoder.preprocessing.crop);
    try {
      const all = await embedder.embed(EXAMPLES);
      assert.deepEqual(all.examples, READABLE);
      assert.equal(all.cached, 1);
      assert.deepEqual(all.unreadable.map(({ name }) => name), ["bad.png", "bad.jpg"]);
      assert.match(all.unreadable[1].why, /cut off/);
      const lines: string[] = [];
      for (const [row, { label, read }] of READABLE.entries()) {
        const bytes = await read();
        const pixels = await decodeFile(bytes, 1e6);
        const expected = await one.encode(preprocess(pixels, encoder.preprocessing));
        assert.deepEqual(all.embeddings.slice(row * 256, (row + 1) * 256), expected);
        assert.equal(all.hashes[row], perceptualHash(pixels));
        lines.push(`${await sha256(bytes)} ${label}`);
      }
      assert.equal(all.digest, await sha256(new TextEncoder().encode(lines.join("\n"))));
      const again = await embedder.embed(EXAMPLES);
      assert.deepEqual(again, { ...all, cached: 12 });
    } finally {
      embedder.close();
      await one.close();
    }
  }));

Deno.test("openEmbedder() finds D by itself, and refuses an encoder that takes another size of picture", () =>
  withFolder(async (cache) => {
    const { size: _, ...unsized } = encoder;
    const embedder = await openEmbedder(unsized, cache, { backend: "wasm" });
    assert.equal(embedder.store.size, 256);
    embedder.close();
    const preprocessing = { ...encoder.preprocessing, resize: 60, crop: 60 };
    await assert.rejects(
      openEmbedder({ ...unsized, preprocessing }, cache, { backend: "wasm" }),
      (error) =>
        error instanceof TrainerError && /Cannot run the encoder .* 60 x 60/.test(error.message),
    );
  }));

Deno.test("openEmbedder() refuses an encoder that is said to have another D", () =>
  withFolder(async (cache) => {
    const embedder = await openEmbedder({ ...encoder, size: 512 }, cache, { backend: "wasm" });
    try {
      await assert.rejects(embedder.fill(EXAMPLES), /gives 256 numbers, and is said to give 512/);
    } finally {
      embedder.close();
    }
  }));

Deno.test("openEmbedder() gives up on a picture that takes too long, and goes on with another worker", () =>
  withFolder(async (cache) => {
    const options = { backend: "wasm", workers: 1, timeout: 0.001 };
    const embedder = await openEmbedder(encoder, cache, options);
    try {
      const { unreadable } = await embedder.fill(EXAMPLES.slice(0, 2));
      assert.deepEqual(unreadable.map(({ name }) => name), ["0.jpg", "1.jpg"]);
      assert.match(unreadable[0].why, /takes longer than/);
    } finally {
      embedder.close();
    }
  }));

Deno.test({
  name: `openEmbedder() shares a float encoder's embeddings between backends${unlessInstalled}`,
  ignore: !isNativeInstalled,
  fn: () =>
    withFolder(async (cache) => {
      const native = await openEmbedder(encoder, cache, { workers: 1 });
      assert.equal(native.backend, "native");
      const first = await native.embed(EXAMPLES.slice(0, 6));
      native.close();
      const wasm = await openEmbedder(encoder, cache, { backend: "wasm", workers: 1 });
      const all = await wasm.embed(READABLE);
      wasm.close();
      assert.equal(all.cached, 7);
      assert.deepEqual(all.embeddings.slice(0, 6 * 256), first.embeddings);
    }),
});

Deno.test("chooseBackend() takes what the encoder is for, and no other than was named", async () => {
  assert.equal(await chooseBackend("auto", ["wasm"]), "wasm");
  assert.equal(await chooseBackend("wasm", ["wasm", "native"]), "wasm");
  await assert.rejects(chooseBackend("wasm", ["native"]), /the encoder is for native/);
  await assert.rejects(chooseBackend("auto", ["webgpu"]), /none of these can be had here/);
  await assert.rejects(chooseBackend("cuda"), /"cuda": there is auto, native, wasm, webgpu/);
});

const hasAdapter = isWebGpuWanted &&
  await chooseBackend("webgpu-software").then(() => true, () => false);

Deno.test({
  name: `openEmbedder() gives the same on WebGPU as on WebAssembly, to 1e-3${
    hasAdapter ? "" : UNLESS_WANTED
  }`,
  ignore: !hasAdapter,
  fn: () =>
    withFolder(async (cache) => {
      const [wasm, gpu] = await Promise.all(["wasm", "webgpu-software"].map(async (backend) => {
        const embedder = await openEmbedder(encoder, `${cache}/${backend}`, {
          backend,
          workers: 1,
        });
        try {
          return await embedder.embed(READABLE.slice(0, 3));
        } finally {
          embedder.close();
        }
      }));
      const largest = wasm.embeddings.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const off = wasm.embeddings.reduce(
        (most, v, i) => Math.max(most, Math.abs(v - gpu.embeddings[i])),
        0,
      );
      assert.ok(off / largest < 1e-3, `off by ${off} of ${largest}`);
    }),
});
