import { describeFile, MANIFEST_PATH, writeManifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import { layOutBundle } from "../../edge/adapter/workerd/build/lay_out_bundle.ts";
import { listFiles } from "../../edge/adapter/workerd/build/list_files.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

Deno.test("layOutBundle() lays out encoders for the Worker and for browsers, and leaves others out", async () => {
  const { files, manifest } = await makeSyntheticBundle();
  const [encoder] = manifest.encoders;
  const variant = async (path: string, ...backends: string[]) => {
    const bytes = new TextEncoder().encode(path);
    files.set(path, bytes);
    return { ...encoder, backends, file: await describeFile(path, bytes) };
  };
  const encoders = [
    encoder,
    await variant("float16.onnx", "webgpu"),
    await variant("float32.onnx", "native"),
  ];
  files.set(MANIFEST_PATH, writeManifest({ ...manifest, encoders }));
  const folder = await makeTemporaryFolder("lay_out");
  try {
    const source = { read: (path: string) => Promise.resolve(files.get(path)) };
    const { idle } = await layOutBundle(source, folder.path, () => {});
    assert.deepEqual(idle.map(({ file }) => file.path), ["float32.onnx"]);
    files.delete("float32.onnx");
    assert.deepEqual(await listFiles(folder.path), [...files.keys(), "parts.json"].sort());
  } finally {
    await folder.remove();
  }
});
