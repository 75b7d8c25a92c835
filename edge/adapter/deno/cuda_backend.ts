/**
 * ONNX Runtime's CUDA provider, for servers with an NVIDIA card. The package's installation would download it, which Deno skips
 * unless it is told not to: it is there only where somebody asked for it, and serves only where it is named.
 */

import { ClipEError } from "@clip-e/shared";
import { dirname, resolve } from "node:path";
import type { Backend } from "../../backend/backend.ts";
import { type OnnxRuntime, openSession } from "../../backend/native_session.ts";
import { loadOnnxRuntime, requireNative } from "./onnx_runtime_node.ts";

/**
 * Loads `onnxruntime-node` and makes sure that its CUDA provider is there too.
 *
 * @throws {ClipEError} in a sentence that says how to install it
 */
export function openCudaBackend(): Backend {
  const ort = loadOnnxRuntime();
  const folder = dirname(requireNative.resolve("onnxruntime-node"));
  const { os, arch } = Deno.build;
  const library = `../bin/napi-v6/${os}/${
    arch === "x86_64" ? "x64" : "arm64"
  }/libonnxruntime_providers_cuda.so`;
  if (isThere(resolve(folder, library))) return createCudaBackend(ort, console.warn);
  throw new ClipEError(
    "internal",
    "The CUDA provider is not installed: it is for Linux on x64 with CUDA 12. Install it as docs/server.md says, " +
      "or choose --backend native",
  );
}

/**
 * Makes the backend. It takes what a bundle has for GPUs first, since ONNX Runtime has no CUDA kernels for all that 8-bit
 * encoders are made of.
 *
 * @param ort the package
 * @param warn hears of a model that runs partly on the CPU
 */
export function createCudaBackend(ort: OnnxRuntime, warn: (line: string) => void): Backend {
  return {
    name: "cuda",
    takes: ["cuda", "webgpu", "native"],
    async open(model, externalData = []) {
      const open = (options: Readonly<Record<string, unknown>>) =>
        openSession(ort, model, externalData, { executionProviders: ["cuda"], ...options });
      try {
        // By itself ONNX Runtime would put on the CPU what the provider cannot run, without a word.
        return await open({ extra: { session: { disable_cpu_ep_fallback: "1" } } });
      } catch (error) {
        if (!(error instanceof Error) || !/fallback to CPU/i.test(error.message)) throw error;
        warn("A part of the encoder cannot run on CUDA and runs on the CPU");
        return await open({});
      }
    },
  };
}

function isThere(file: string): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
