/**
 * `deno task worker:build`, as a user runs it, and what it makes: a Worker with a model that is larger than one asset may be.
 */

import {
  describeFile,
  goldenInput,
  MANIFEST_PATH,
  sha256,
  writeGolden,
  writeManifest,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { MAX_PART_BYTES } from "../../edge/adapter/workerd/parted_files.ts";
import { preprocessingOf } from "../../edge/classifier.ts";
import { openEncoder } from "../../edge/encoder.ts";
import { OnnxGraph } from "../../trainer/encoder/onnx_graph.ts";
import { readPicture } from "../golden_file.ts";
import { type BundleFiles, makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { classifyOverHttp } from "./classify_over_http.ts";
import { listProcessTree } from "./process_tree.ts";
import { runTask } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { ignoreWorkers } from "./worker_left_out.ts";
import { startConfiguredWorker, type WorkerProcess } from "./worker_process.ts";

const ignore = ignoreWorkers;

async function withBundle(files: BundleFiles, use: (folder: string) => Promise<void>) {
  const folder = await makeTemporaryFolder("worker_build");
  try {
    await writeBundleFiles(files, folder.url);
    await use(folder.path);
  } finally {
    await folder.remove();
  }
}

Deno.test({
  name: "deno task worker:build weighs each part of the Worker, far below the platform's limits",
  ignore,
  async fn() {
    const { code, stdout, stderr } = await runTask("worker:build", ["--json"]);
    assert.equal(code, 0, stderr);
    const { name, digest, sizes, totals, budget } = JSON.parse(stdout);
    assert.equal(name, "nano");
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    const names = sizes.map(({ name }: { name: string }) => name);
    for (const part of ["ONNX Runtime", "JPEG", "PNG", "WebP", "script", "bundle/manifest.json"]) {
      assert.ok(names.some((name: string) => name.startsWith(part)), part);
    }
    assert.ok(names.includes("page"));
    assert.ok(names.includes("what pages compute with, packed"));
    for (const { raw, gzip } of sizes) assert.ok(raw > 0 && gzip > 0 && raw < MAX_PART_BYTES);
    assert.ok(totals.upload.raw < 20 * 2 ** 20, "the limit is 64 MiB");
    assert.ok(totals.upload.gzip < 5 * 2 ** 20);
    assert.ok(budget.maxPixels > 4_000_000);
    const config = new URL("../../.cache/worker/wrangler.json", import.meta.url);
    assert.equal(JSON.parse(await Deno.readTextFile(config)).vars.BUNDLE_DIGEST, digest);
  },
});

Deno.test("deno task worker:build refuses an int8 ViT-B/32, naming sizes and what to do", async () => {
  const { files, manifest } = await makeSyntheticBundle();
  const [encoder] = manifest.encoders;
  const bytes = 88_870_000;
  const large = { ...encoder, precision: "int8", file: { ...encoder.file, bytes } };
  const refused = new Map([
    ...files,
    [MANIFEST_PATH, writeManifest({ ...manifest, encoders: [large] })] as const,
  ]);
  await withBundle(refused, async (folder) => {
    // Of that size, and empty: nobody reads it.
    await Deno.truncate(`${folder}/encoder.onnx`, bytes);
    for (const task of ["worker:build", "worker:assets"]) {
      const { code, stdout, stderr } = await runTask(task, ["--bundle", folder]);
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, /^error: Cannot serve synthetic in a Worker: .*\n$/m);
      assert.match(stderr, /128 MB.*89 MB.*smaller model.*deno task start/);
    }
  });
});

/** An encoder of 30 MB: two dense layers over all pixels. */
function makeLargeEncoder(crop: number, size: number): Uint8Array<ArrayBuffer> {
  const graph = new OnnxGraph("large encoder");
  const [inputs, units] = [3 * crop ** 2, 2100];
  const wave = (rows: number, columns: number) =>
    Float32Array.from(
      { length: rows * columns },
      (_, i) => Math.sin(i * 0.7) * Math.sqrt(2 / rows),
    );
  const pixels = graph.input("pixel_values", ["batch", 3, crop, crop]);
  const first = graph.float32("first", [inputs, units], wave(inputs, units));
  const second = graph.float32("second", [units, size], wave(units, size));
  const row = graph.node("Flatten", [pixels], "row", { axis: { int: 1 } });
  const hidden = graph.node("Relu", [graph.node("MatMul", [row, first], "dense")], "hidden");
  graph.output(graph.node("MatMul", [hidden, second], "image_embeds"), ["batch", size]);
  return graph.toBytes();
}

async function makeLargeBundle(): Promise<BundleFiles> {
  const { files, manifest } = await makeSyntheticBundle();
  const [entry] = manifest.encoders;
  const { crop } = entry.input;
  const bytes = makeLargeEncoder(crop, manifest.embeddingSpace.size);
  const encoder = await openEncoder(bytes, crop);
  const golden = writeGolden(await encoder.encode(goldenInput(preprocessingOf(entry))));
  await encoder.close();
  const { file } = manifest.golden;
  const changed = {
    ...manifest,
    encoders: [{ ...entry, file: await describeFile(entry.file.path, bytes) }],
    golden: { ...manifest.golden, file: await describeFile(file.path, golden) },
  };
  return new Map([
    ...files,
    [entry.file.path, bytes],
    [file.path, golden],
    [MANIFEST_PATH, writeManifest(changed)],
  ]);
}

/** What the Worker's own processes hold of the machine's memory, in bytes. */
async function measureMemory({ pid }: WorkerProcess): Promise<number> {
  let memory = 0;
  for (const id of await listProcessTree(pid)) {
    const status = await Deno.readTextFile(`/proc/${id}/status`).catch(() => "");
    if (!/^Name:\s+workerd$/m.test(status)) continue;
    memory += Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) * 1024;
  }
  return memory;
}

/** Asserts that the model is given out whole, from any byte on, and to many at once without being held. */
async function assertFlows(worker: WorkerProcess, model: Uint8Array<ArrayBuffer>): Promise<void> {
  const url = `${worker.url}/v1/bundle/encoder.onnx`;
  for (const start of [0, MAX_PART_BYTES - 10, MAX_PART_BYTES + 10]) {
    const response = await fetch(url, { headers: { Range: `bytes=${start}-` } });
    assert.equal(response.headers.get("Content-Length"), String(model.length - start));
    const bytes = new Uint8Array(await response.arrayBuffer());
    assert.equal(await sha256(bytes), await sha256(model.subarray(start)), `from ${start}`);
  }
  if (Deno.build.os !== "linux") return;
  const before = await measureMemory(worker);
  const readers = await Promise.all(Array.from({ length: 10 }, async () => {
    const reader = (await fetch(url)).body?.getReader() ?? assert.fail();
    await reader.read();
    return reader;
  }));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const grown = (await measureMemory(worker) - before) / 1e6;
  console.log(`10 downloads under way take ${grown.toFixed(1)} MB of ${(before / 1e6).toFixed(1)}`);
  assert.ok(grown < 150, `${grown} MB, of 300 that they read`);
  await Promise.all(readers.map((reader) => reader.cancel()));
}

Deno.test({
  name: "the Worker serves a model of 30 MB, which lies in parts, with a smaller limit on pictures",
  ignore,
  async fn() {
    const files = await makeLargeBundle();
    const { length } = files.get("encoder.onnx") ?? assert.fail();
    assert.ok(length > 30_000_000 && length < 30_500_000, `${length}`);
    await withBundle(files, async (folder) => {
      const worker = await startConfiguredWorker(folder);
      try {
        const parts = await Deno.readTextFile(`${worker.folder}assets/bundle/parts.json`);
        assert.equal(JSON.parse(parts)["encoder.onnx"].parts.length, 2);
        const { image } = await classifyOverHttp(worker.url, await readPicture("storm.jpg"));
        assert.deepEqual(image, { width: 1024, height: 683 });
        const { status, faults } = await (await fetch(`${worker.url}/readyz`)).json();
        assert.deepEqual({ status, faults }, { status: "ready", faults: [] });
        const { predictions } = await classifyOverHttp(worker.url, await readPicture("small.jpg"));
        assert.equal(predictions.length, 5);
        await assertFlows(worker, files.get("encoder.onnx") ?? assert.fail());
      } finally {
        assert.deepEqual(await worker.stop(), [], "processes stayed");
      }
    });
  },
});
