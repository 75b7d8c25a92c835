/**
 * Devices, with adapters that are only pretended; and, where Deno has a WebGPU adapter, be it software, a training on it.
 * To have one on Debian: `apt-get install mesa-vulkan-drivers`.
 */

import type { AdapterInfo } from "@clip-e/shared";
import { defaultDevice, getWebGPUDevice } from "@jax-js/jax";
import assert from "node:assert/strict";
import { isWebGpuWanted, UNLESS_WANTED } from "../../webgpu_wanted.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { type DeviceChoice, openDevice, WASM } from "../../../trainer/fit/device.ts";
import { fit } from "../../../trainer/fit/fit.ts";
import type { HeadPlan } from "../../../trainer/fit/fit_options.ts";
import { prompts, range, separable, SIZE } from "./planted_data.ts";

const PLAIN: AdapterInfo = { vendor: "", architecture: "", device: "", description: "" };

/** A platform whose only adapter says this of itself. */
function pretend(info: Partial<AdapterInfo> | undefined): Pick<GPU, "requestAdapter"> {
  const adapter = info && { info: { ...PLAIN, ...info } };
  return { requestAdapter: () => Promise.resolve((adapter ?? null) as GPUAdapter | null) };
}

const SOFTWARE: Partial<AdapterInfo>[] = [
  { description: "llvmpipe (LLVM 15.0.6, 256 bits)" },
  { description: "A GPU", isFallbackAdapter: true },
];

Deno.test("openDevice() takes WebAssembly by itself where there is no GPU, or only one in name", async () => {
  for (const gpu of [undefined, pretend(undefined), ...SOFTWARE.map(pretend)]) {
    // undefined would be the default, the platform's own
    assert.equal(await openDevice("auto", gpu ?? pretend(undefined)), WASM);
    assert.equal(defaultDevice(), "wasm");
  }
});

Deno.test("openDevice() says why there is no GPU where one was asked for", async () => {
  const refuses = (choice: DeviceChoice, gpu: Pick<GPU, "requestAdapter">, words: RegExp) =>
    assert.rejects(openDevice(choice, gpu), (error) => {
      assert.ok(error instanceof TrainerError);
      assert.match(error.message, words);
      assert.match(error.message, /Give --device wasm/);
      return true;
    });
  await refuses("webgpu", pretend(undefined), /there is no adapter/);
  await refuses("webgpu-software", pretend(undefined), /there is no adapter/);
  await refuses("webgpu", pretend(SOFTWARE[0]), /llvmpipe .* computes on the CPU/);
});

Deno.test("openDevice() asks no GPU where WebAssembly was asked for", async () => {
  const gpu = { requestAdapter: () => assert.fail("it was asked") };
  assert.equal(await openDevice("wasm", gpu), WASM);
});

const adapter = isWebGpuWanted ? await navigator.gpu?.requestAdapter() : undefined;

Deno.test({
  name: `fit() agrees on WebGPU with WebAssembly, and ends when it fails${
    adapter ? "" : UNLESS_WANTED
  }`,
  ignore: !adapter,
  // Its device lives as long as the process.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    const data = separable(200, 50);
    const plans: HeadPlan[] = [
      { kind: "cross-entropy" },
      { kind: "contrastive", prompts: prompts(3, 12, 1) },
      { kind: "contrastive", prompts: prompts(3, SIZE, 2), blend: 0.6 },
    ];
    const device = await openDevice("webgpu-software");
    try {
      assert.equal(device.name, "webgpu");
      assert.match(device.description, /^WebGPU \(.+\)$/);
      for (const plan of plans) {
        const fitted = (on: typeof device) =>
          fit(data, range(0, 120), range(120, 200), plan, {
            hidden: 16,
            batchSize: 16,
            maxEpochs: 2,
            device: on,
          });
        await openDevice("webgpu-software");
        const gpu = await fitted(device);
        await assert.rejects(fitted(WASM), /WebAssembly: webgpu was opened after it/);
        const wasm = await fitted(await openDevice("wasm"));
        for (const [i, { trainLoss, validationLoss }] of wasm.history.entries()) {
          const other = gpu.history[i];
          assert.ok(Math.abs(other.trainLoss / trainLoss - 1) < 1e-4, `${other.trainLoss}`);
          assert.ok(Math.abs(other.validationLoss / validationLoss - 1) < 1e-4);
        }
        assert.equal(gpu.bestEpoch, wasm.bestEpoch);
        const [a, b] = [gpu.head.img_fc1.kernel, wasm.head.img_fc1.kernel];
        const apart = a.map((v, i) => Math.abs(v - b[i]));
        assert.ok(Math.max(...apart) < 1e-3, `weights are ${Math.max(...apart)} apart`);
      }
      const broken = await openDevice("webgpu-software");
      const work = fit(data, range(0, 120), range(120, 200), plans[0], {
        hidden: 16,
        device: broken,
        onEpoch: () => void getWebGPUDevice().createBuffer({ size: 16, usage: 0 }), // no buffer has no use
      });
      await assert.rejects(work, (error) => {
        assert.ok(error instanceof TrainerError, String(error));
        assert.match(error.message, /^Cannot train on WebGPU .*Give --device wasm$/s);
        return true;
      });
    } finally {
      await openDevice("wasm");
    }
  },
});
