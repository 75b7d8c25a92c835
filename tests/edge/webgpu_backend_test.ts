/**
 * The backend of WebGPU, on whatever adapter this machine has: software will do, since it computes the same. To have one on
 * Debian: `apt-get install mesa-vulkan-drivers`.
 *
 * The test that breaks a device comes after all others of this thread: ONNX Runtime may be of no use afterwards.
 */

import { createClassifier, wasmBackend } from "@clip-e/edge";
import { createWorkerPool } from "@clip-e/edge/deno";
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chooseBackends, readBackendChoice } from "../../edge/adapter/deno/choose_backends.ts";
import { muteDesktop } from "../../edge/adapter/deno/mute_desktop.ts";
import { watchDevice } from "../../edge/backend/watched_device.ts";
import { findAdapter, openWebGpuBackend } from "../../edge/backend/webgpu.ts";
import type { Classifier } from "../../edge/classifier.ts";
import { OnnxGraph } from "../../trainer/encoder/onnx_graph.ts";
import { readPicture } from "../golden_file.ts";
import { writeBundleFiles } from "../synthetic_bundle.ts";
import { makeTowerBundle } from "../tower_bundle.ts";
import { isWebGpuWanted, UNLESS_WANTED } from "../webgpu_wanted.ts";

muteDesktop();
const ignore = !isWebGpuWanted ||
  await findAdapter({ software: true }).then(() => false, () => true);
const unless = ignore ? UNLESS_WANTED : "";
const OASIS = new URL("../../../shared/data/oasis/images/", import.meta.url);
const hasOasis = await Deno.stat(OASIS).then(() => true, () => false);

const source = async (...bundle: Parameters<typeof makeTowerBundle>) => {
  const files = await makeTowerBundle(...bundle);
  return { read: (path: string) => Promise.resolve(files.get(path)) };
};

const openBackend = async () => await openWebGpuBackend(await findAdapter({ software: true }));

/** A platform whose only adapter says this of itself. */
const platformOf = (description: string, isFallbackAdapter = false) => ({
  requestAdapter: () =>
    Promise.resolve(
      { info: { vendor: "", architecture: "", device: "", description, isFallbackAdapter } },
    ) as unknown as Promise<GPUAdapter>,
});

Deno.test("findAdapter() takes a GPU, and software only where that was asked for", async () => {
  const gpu = await findAdapter({ gpu: platformOf("NVIDIA L4") });
  assert.equal(gpu.info.description, "NVIDIA L4");
  for (const gpu of [platformOf("llvmpipe (LLVM 15.0.6, 256 bits)"), platformOf("Some", true)]) {
    await assert.rejects(findAdapter({ gpu }), {
      message: /^Cannot use WebGPU: the only adapter, .*, computes on the CPU.*webgpu-software/,
    });
    assert.ok(await findAdapter({ gpu, software: true }));
  }
});

Deno.test("findAdapter() says that there is none", async () => {
  const gpu = { requestAdapter: () => Promise.resolve(null) };
  await assert.rejects(findAdapter({ gpu }), {
    code: "internal",
    message: "Cannot use WebGPU: there is no adapter",
  });
});

Deno.test({
  name: `chooseBackends() takes no software adapter but by its own name${unless}`,
  ignore,
  async fn() {
    const hasGpu = await findAdapter().then(() => true, () => false);
    const names = (await chooseBackends("auto")).map(({ name }) => name);
    assert.equal(names.includes("webgpu"), hasGpu);
    assert.equal(names.at(-1), "wasm");
    const chosen = chooseBackends(readBackendChoice("webgpu"));
    if (hasGpu) assert.deepEqual((await chosen).map(({ name }) => name), ["webgpu"]);
    else await assert.rejects(chosen, /computes on the CPU/);
    const [software, ...others] = await chooseBackends(readBackendChoice("webgpu-software"));
    assert.equal(software.name, "webgpu");
    assert.deepEqual(others, []);
  },
});

/** The largest difference of scores, and how far apart the scores of pictures are. */
async function compareScores(
  [one, other]: readonly [Classifier, Classifier],
  pictures: readonly Uint8Array<ArrayBuffer>[],
): Promise<{ readonly apart: number; readonly spread: number }> {
  const all: number[][] = [];
  let apart = 0;
  for (const picture of pictures) {
    const [a, b] = [await one.classify(picture.slice()), await other.classify(picture.slice())]
      .map(({ predictions }) =>
        predictions.flatMap(({ scores }) =>
          scores.toSorted((a, b) => a.label < b.label ? -1 : 1).map(({ score }) => score)
        )
      );
    apart = Math.max(apart, ...a.map((score, i) => Math.abs(score - b[i])));
    all.push(a);
  }
  const spread = Math.max(
    ...all[0].map((_, i) => Math.max(...all.map((s) => s[i])) - Math.min(...all.map((s) => s[i]))),
  );
  return { apart, spread };
}

const NAMES = ["storm.jpg", "sunset.jpg", "rgba.png", "exif_6.jpg", "lossy.webp", "tall.jpg"];

for (const precision of ["float32", "float16"] as const) {
  Deno.test({
    name:
      `createClassifier() scores pictures on WebGPU as on WebAssembly, in ${precision}${unless}`,
    ignore,
    async fn(t) {
      const wasm = await createClassifier({ bundle: await source() });
      const backend = await openBackend();
      if (!backend.precisions?.includes(precision)) return;
      const bundle = await source([precision, "float32"]);
      const webgpu = await createClassifier({ bundle, backends: [backend, wasmBackend] });
      assert.deepEqual(
        [webgpu.model.encoder.backend, webgpu.model.encoder.precision],
        ["webgpu", precision],
      );
      assert.deepEqual(webgpu.model.faults, []);
      const check = async (pictures: readonly Uint8Array<ArrayBuffer>[]) => {
        const { apart, spread } = await compareScores([wasm, webgpu], pictures);
        assert.ok(apart <= 5e-3, `scores are ${apart} apart`);
        assert.ok(spread > 0.05, `scores of all pictures lie within ${spread}`);
      };
      await check(await Promise.all(NAMES.map(readPicture)));
      await t.step({
        name: `and photographs${hasOasis ? "" : " (skipped: OASIS is not there)"}`,
        ignore: !hasOasis,
        async fn() {
          const files = (await Array.fromAsync(Deno.readDir(OASIS))).map(({ name }) => name);
          const some = files.sort().filter((_, i) => i % 35 === 0).slice(0, 20);
          assert.equal(some.length, 20);
          await check(await Promise.all(some.map((name) => Deno.readFile(new URL(name, OASIS)))));
        },
      });
      await wasm.close();
      await webgpu.close();
    },
  });
}

Deno.test({
  name: `the WebGPU backend runs no float16 where the adapter has none${unless}`,
  ignore,
  async fn() {
    const adapter = await findAdapter({ software: true });
    const features = new Set([...adapter.features].filter((name) => name !== "shader-f16"));
    Object.defineProperty(adapter, "features", { value: features });
    const backend = await openWebGpuBackend(adapter);
    const bundle = await source(["float16", "float32"]);
    const classifier = await createClassifier({ bundle, backends: [backend] });
    assert.equal(classifier.model.encoder.precision, "float32");
    assert.deepEqual(classifier.model.faults, []);
    await classifier.close();
  },
});

Deno.test({
  name: `the WebGPU backend never runs quantised graphs, whatever the manifest says${unless}`,
  ignore,
  async fn() {
    const backend = await openBackend();
    const int8 = await source(["int8"], { int8: ["webgpu", "wasm"] });
    await assert.rejects(createClassifier({ bundle: int8, backends: [backend] }), {
      code: "invalid-bundle",
      message: /none of its encoders is for the backend webgpu, which runs .*float32$/,
    });
    const classifier = await createClassifier({ bundle: int8, backends: [backend, wasmBackend] });
    assert.equal(classifier.model.encoder.backend, "wasm");
    await classifier.close();
    for (const [path, model] of await makeTowerBundle(["int8"])) {
      if (!path.endsWith(".onnx")) continue;
      await assert.rejects(backend.open(model), /quantised graphs are never run.*MatMulInteger/);
    }
  },
});

/** A model of one operator between its input and its output. */
function modelOf(operator: string, ...constants: number[]): Uint8Array {
  const graph = new OnnxGraph(operator);
  const inputs = constants.map((value, i) =>
    graph.float32(`constant ${i}`, [1], Float32Array.of(value))
  );
  const x = graph.input("x", ["n"]);
  graph.output(graph.node(operator, [x, ...inputs], "y"), ["n"]);
  return graph.toBytes();
}

Deno.test({
  name: `the WebGPU backend gives no numbers that are not finite, and no zeros alone${unless}`,
  ignore,
  async fn() {
    const backend = await openBackend();
    const run = async (model: Uint8Array) => {
      const session = await backend.open(model);
      const x = { type: "float32", data: Float32Array.of(-1, -2, 3), dims: [3] } as const;
      try {
        return (await session.run({ x }, "y")).data;
      } finally {
        await session.close();
      }
    };
    assert.deepEqual(await run(modelOf("Mul", 2)), Float32Array.of(-2, -4, 6));
    const fails = (model: Uint8Array, message: RegExp) =>
      assert.rejects(run(model), { name: "BackendLost", message });
    await fails(modelOf("Mul", 0), /^WebGPU failed: it gave nothing but zeros$/);
    await fails(modelOf("Sqrt"), /^WebGPU failed: it gave a number that is not finite$/);
    await assert.rejects(run(modelOf("NoSuchThing")), /^Error: ONNX Runtime refuses it: .*NoSuch/);
    // Other models still run.
    assert.deepEqual(await run(modelOf("Mul", 1)), Float32Array.of(-1, -2, 3));
  },
});

Deno.test({
  name: `watchDevice() fails what runs when an error comes, and what would run after it${unless}`,
  ignore,
  async fn() {
    const gpu = await (await findAdapter({ software: true })).requestDevice();
    const device = watchDevice(gpu);
    assert.equal(await device.run(() => Promise.resolve(1)), 1);
    await assert.rejects(
      device.run(() => Promise.reject(new Error("its own"))),
      /^Error: its own$/,
    );
    assert.equal(device.failure, undefined);
    const useless = () => {
      gpu.createBuffer({ size: 16, usage: 0 });
      return Promise.resolve(2);
    };
    const failed = { name: "BackendLost", message: /^WebGPU failed: .*usage/i };
    await assert.rejects(device.run(useless), failed);
    await assert.rejects(device.run(() => assert.fail("it ran")), failed);
  },
});

Deno.test({
  name: `watchDevice() hears of errors and losses while nothing runs${unless}`,
  ignore,
  async fn() {
    const broken = await (await findAdapter({ software: true })).requestDevice();
    const lost = await (await findAdapter({ software: true })).requestDevice();
    const devices = [watchDevice(broken), watchDevice(lost)];
    broken.createBuffer({ size: 16, usage: 0 });
    lost.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const fails = (device: typeof devices[0], message: RegExp) =>
      assert.rejects(device.run(() => assert.fail("it ran")), { name: "BackendLost", message });
    await fails(devices[0], /usage/i);
    await fails(devices[1], /the device was lost/);
  },
});

/** Where the device goes: ONNX Runtime notices one at its own end, and the other breaks through it. */
for (const moment of ["createBindGroup", "createCommandEncoder"] as const) {
  Deno.test({
    name:
      `createClassifier() answers on WebAssembly when its GPU is lost during a picture, in ${moment}()${unless}`,
    ignore,
    async fn() {
      const adapter = await findAdapter({ software: true });
      let device: GPUDevice | undefined;
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => device = await request(descriptor);
      const lines: string[] = [];
      const classifier = await createClassifier({
        bundle: await source(),
        backends: [await openWebGpuBackend(adapter)],
        warn: (line) => lines.push(line),
      });
      assert.ok(device);
      const before = await classifier.classify(await readPicture("storm.jpg"));
      assert.equal(classifier.model.encoder.backend, "webgpu");
      const original: (descriptor: never) => unknown = device[moment].bind(device);
      Object.defineProperty(device, moment, {
        value(descriptor: never) {
          device?.destroy();
          return original(descriptor);
        },
      });
      const after = await classifier.classify(await readPicture("storm.jpg"));
      assert.equal(classifier.model.encoder.backend, "wasm");
      for (const [i, { scores }] of after.predictions.entries()) {
        const { scores: [{ label, score }] } = before.predictions[i];
        const same = scores.find((other) => other.label === label);
        assert.ok(
          same && Math.abs(same.score - score) < 5e-3,
          `${label}: ${same?.score}, ${score}`,
        );
      }
      assert.equal(lines.length, 1);
      assert.match(
        lines[0],
        /^The backend webgpu failed while it served: WebGPU failed: the device was lost \(.+\)\. encoder\.float32\.onnx \(float32\) takes over, on the backend wasm$/,
      );
      // The thread is well, and the next pictures are WebAssembly's.
      await classifier.embed(await readPicture("sunset.jpg"));
      assert.equal(lines.length, 1);
      await classifier.close();
    },
  });
}

Deno.test({
  name: `createWorkerPool() computes on WebGPU in workers${unless}`,
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "clip_e_webgpu_" });
    try {
      await writeBundleFiles(await makeTowerBundle(), pathToFileURL(`${folder}/`));
      const backend = readBackendChoice("webgpu-software");
      const pool = await createWorkerPool({ bundle: folder, workers: 1, backend });
      assert.equal(pool.model.encoder.backend, "webgpu");
      const names = [...NAMES, ...NAMES];
      const answers = await Promise.all(
        names.map(async (name) => await pool.classify(await readPicture(name))),
      );
      assert.equal(answers.length, names.length);
      await pool.close();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
