/**
 * What computes the training: WebAssembly, or a GPU through WebGPU. A GPU that fails does not throw: by itself it says so
 * in an event, and its numbers stay 0. So a device is tried on a known product first, and asked now and then.
 */

import { defaultDevice, getWebGPUDevice, init, numpy as np } from "@jax-js/jax";
import { muteDesktop } from "@clip-e/edge/webgpu";
import { type AdapterInfo, isSoftwareAdapter, nameAdapter } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";

/** What may be asked for. */
export const DEVICE_CHOICES = ["auto", "webgpu", "webgpu-software", "wasm"] as const;

/** One of {@linkcode DEVICE_CHOICES}. */
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** What computes. */
export interface Device {
  /** jax-js's name of it. */
  readonly name: "wasm" | "webgpu";
  /** For people, such as `WebAssembly` or `WebGPU (NVIDIA L4)`. */
  readonly description: string;
  /** Steps between reads of the loss: reading waits for a GPU. */
  readonly readEvery: number;
  /** The most bytes of one array. */
  readonly maxBytes: number;
  /**
   * Reads numbers, and frees them there. WebAssembly's come at once and in this thread alone: a promise would start
   * workers that nothing can stop.
   *
   * @param array of jax-js; consumed
   * @throws {TrainerError} when the device has failed
   */
  read(
    array: { data(): Promise<ArrayLike<number>>; dataSync(): ArrayLike<number> },
  ): Float32Array | Promise<Float32Array>;
}

/** WebAssembly, in this thread. */
export const WASM: Device = {
  name: "wasm",
  description: "WebAssembly",
  readEvery: 1,
  maxBytes: 2 ** 31,
  read: (array) => toFloats(array.dataSync()),
};

/**
 * Opens what was asked for, and makes it jax-js's default.
 *
 * @param choice `auto` takes a GPU where there is one, else WebAssembly; `webgpu` a GPU or nothing; `webgpu-software` also
 * what only pretends to be a GPU, for tests
 * @param gpu of the platform
 * @throws {TrainerError} when it is not there, or does not compute right
 */
export async function openDevice(
  choice: DeviceChoice,
  gpu: Pick<GPU, "requestAdapter"> | undefined = navigator.gpu,
): Promise<Device> {
  if (choice !== "wasm") {
    muteDesktop();
    // As jax-js asks for it, so that it is the same one.
    const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
    const why = adapter ? refusal(adapter.info, choice) : "there is no adapter";
    if (!why) return await openWebGpu();
    if (choice !== "auto") {
      throw new TrainerError(`Cannot train on ${choice}: ${why}. Give --device wasm`);
    }
  }
  defaultDevice("wasm");
  return WASM;
}

/** Why an adapter is not what was asked for, if it is not. */
function refusal(info: AdapterInfo, choice: DeviceChoice): string | undefined {
  if (choice === "webgpu-software" || !isSoftwareAdapter(info)) return undefined;
  return `its only adapter, ${
    nameAdapter(info)
  }, computes on the CPU, more slowly than WebAssembly`;
}

async function openWebGpu(): Promise<Device> {
  await init("webgpu");
  const gpu = getWebGPUDevice();
  const device = watch(gpu);
  defaultDevice("webgpu");
  try {
    await tryOut(device);
  } catch (error) {
    defaultDevice("wasm");
    throw error;
  }
  return device;
}

/** A GPU whose failures end the work at the next read. */
function watch(gpu: GPUDevice): Device {
  const name = `WebGPU (${nameAdapter(gpu.adapterInfo)})`;
  let failure: string | undefined;
  gpu.addEventListener("uncapturederror", (event) => {
    failure ??= (event as GPUUncapturedErrorEvent).error.message;
  });
  gpu.lost.then(({ message }) => failure ??= `the device was lost: ${message}`);
  return {
    name: "webgpu",
    description: name,
    readEvery: 20,
    maxBytes: gpu.limits.maxStorageBufferBindingSize,
    async read(array) {
      const values = toFloats(await array.data());
      if (failure !== undefined) {
        throw new TrainerError(`Cannot train on ${name}: ${failure}. Give --device wasm`);
      }
      return values;
    },
  };
}

const PROBE = 64;

/** Multiplies matrices of small whole numbers, of which the product is known to the last digit. */
async function tryOut(device: Device): Promise<void> {
  const a = Float32Array.from({ length: PROBE ** 2 }, (_, i) => (i * 7) % 11 - 5);
  const array = np.array(a, { shape: [PROBE, PROBE] });
  const product = await device.read(np.dot(array.ref, array));
  const right = product.every((value, at) => {
    const [i, j] = [Math.floor(at / PROBE), at % PROBE];
    let sum = 0;
    for (let k = 0; k < PROBE; k++) sum += a[i * PROBE + k] * a[k * PROBE + j];
    return value === sum;
  });
  if (right) return;
  throw new TrainerError(
    `Cannot train on ${device.description}: it multiplied two matrices wrongly. Give --device wasm`,
  );
}

function toFloats(data: ArrayLike<number>): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
