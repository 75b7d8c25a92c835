/**
 * ONNX Runtime on a GPU, through WebGPU: in Deno, and in pages and their workers. It has a door of its own, so that nobody
 * else loads its code.
 */

import { ClipEError } from "@clip-e/shared";
import * as ort from "onnxruntime-web/webgpu";
import { createQueue } from "../queue.ts";
import type { Backend, ExternalData, OutputTensor, Session } from "./backend.ts";
import { BackendLost } from "./backend_lost.ts";
import { gpuPrecisions } from "./gpu_precisions.ts";
import { makeFeeds } from "./feeds.ts";
import { keepWebWorker } from "./keep_web_worker.ts";
import { listOperators } from "./onnx_operators.ts";
import { watchDevice, type WatchedDevice } from "./watched_device.ts";

export { findAdapter, type FindAdapterOptions } from "./find_adapter.ts";

// More threads need a worker from a blob URL, which Deno refuses.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** All sessions share one WebAssembly instance, which waits for the GPU with its stack put aside. */
const inTurn = createQueue();

/**
 * Why ONNX Runtime is of no use any more in this thread. An error of WebGPU's breaks through its code, which never comes to
 * the end that it was put aside for: whoever calls it again, be it to free a session, waits for ever and blocks the thread.
 */
let wreck: string | undefined;

/** What ONNX Runtime's kernels make use of where the GPU has it. */
const FEATURES: readonly GPUFeatureName[] = ["shader-f16", "subgroups"];
const LIMITS = [
  "maxBindGroups",
  "maxBufferSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** Operators of quantised graphs, which WebGPU is reported to compute wrongly without an error. */
const QUANTIZED = /quantize|integer|nbits|bnb4|^q(linear|attention|gemm|moe)/i;

/** Options of {@link openWebGpuBackend}. */
export interface WebGpuBackendOptions {
  /** ONNX Runtime's `ort-wasm-simd-threaded.asyncify.wasm`, for pages; by default it is read from beside its script. */
  readonly wasmBinary?: Uint8Array;
}

/**
 * Opens a device for models in floats: of 16 bits where it has them, else of 32. What goes wrong on it is never silent: the
 * run throws `BackendLost`.
 *
 * @param adapter as `findAdapter` gives it, which is good for one device
 * @param options where ONNX Runtime's code is
 * @throws {ClipEError} `internal`, when the device cannot be had
 */
export async function openWebGpuBackend(
  adapter: GPUAdapter,
  options: WebGpuBackendOptions = {},
): Promise<Backend> {
  const { wasmBinary } = options;
  if (wreck !== undefined) throw new BackendLost(wreck);
  if (wasmBinary) ort.env.wasm.wasmBinary = wasmBinary;
  const gpu = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  }).catch((cause) => {
    const why = `Cannot use WebGPU: there is no device: ${messageOf(cause)}`;
    throw new ClipEError("internal", why, { cause });
  });
  const device = watchDevice(gpu);
  return {
    name: "webgpu",
    precisions: gpuPrecisions(gpu),
    needsProof: true,
    open: (model, externalData) => openSession(gpu, device, model, externalData),
  };
}

async function openSession(
  gpu: GPUDevice,
  device: WatchedDevice,
  model: Uint8Array,
  externalData: readonly ExternalData[] = [],
): Promise<Session> {
  const quantized = [...listOperators(model)].filter((name) => QUANTIZED.test(name));
  if (quantized.length > 0) {
    throw new Error(`quantised graphs are never run on WebGPU, and it has ${quantized.join(", ")}`);
  }
  const session = await inTurn(() => compute(device, () => create(gpu, model, externalData)))
    .catch((cause) => {
      throw new Error(`ONNX Runtime refuses it: ${messageOf(cause)}`, { cause });
    });
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(inputs, output) {
      const feeds = makeFeeds(ort.Tensor, inputs);
      try {
        const outputs = await inTurn(() => compute(device, () => session.run(feeds, [output])));
        checkNumbers(outputs[output]);
        return outputs[output];
      } catch (error) {
        if (error instanceof BackendLost) throw error;
        throw new BackendLost(`WebGPU failed: ${device.failure ?? messageOf(error)}`, {
          cause: error,
        });
      }
    },
    async close() {
      await inTurn(async () => {
        if (wreck === undefined) await compute(device, () => session.release());
      });
    },
  };
}

async function create(
  device: GPUDevice,
  model: Uint8Array,
  externalData: readonly ExternalData[],
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [{ name: "webgpu", device }],
      logSeverityLevel: 3,
      ...(externalData.length > 0 && {
        externalData: externalData.map(({ path, bytes }) => ({ path, data: bytes })),
      }),
    });
  } finally {
    keepWebWorker();
  }
}

/** Runs a task that calls ONNX Runtime, unless that is broken, and notes when it breaks. */
async function compute<T>(device: WatchedDevice, task: () => Promise<T>): Promise<T> {
  if (wreck !== undefined) throw new BackendLost(wreck);
  if (device.failure !== undefined) throw device.giveUp(device.failure);
  try {
    return await device.run(task);
  } catch (error) {
    // ONNX Runtime may notice that a device is lost before the device says so, and why.
    await new Promise((resolve) => setTimeout(resolve));
    if (isRefusal(error)) throw error;
    const lost = device.giveUp(device.failure ?? messageOf(error));
    wreck = lost.message;
    throw lost;
  }
}

/** Whether ONNX Runtime came to its end and says no by itself; it gives a code then. */
function isRefusal(error: unknown): boolean {
  return !(error instanceof BackendLost) && /\bERROR_CODE: \d/.test(messageOf(error));
}

/** A GPU that failed leaves zeros, or whatever was there before. */
function checkNumbers({ data }: OutputTensor): void {
  if (!(data instanceof Float32Array)) return;
  if (!data.every(Number.isFinite)) throw new Error("it gave a number that is not finite");
  if (data.every((value) => value === 0)) throw new Error("it gave nothing but zeros");
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim();
}
