/**
 * The script of a page's worker that computes on WebGPU: first as on WebAssembly, then without its GPU.
 */

import { findAdapter, openWebGpuBackend } from "../../edge/backend/webgpu.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { httpSource } from "../../edge/http_source.ts";
import { provideWasm } from "../../edge/adapter/browser/wasm_files.ts";

/** What the worker found. */
export interface WebGpuFindings {
  /** What serves before the GPU is lost, and after. */
  readonly backends: readonly string[];
  /** How far embeddings before and after are from WebAssembly's, relative to its largest number. */
  readonly distances: readonly number[];
  /** What the log would say. */
  readonly lines: readonly string[];
}

/** The worker's global scope, of which the compiler's library for windows knows nothing. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<string>) => void;
  postMessage: (answer: WebGpuFindings | string) => void;
};

async function fetchBytes(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

async function find(host: string): Promise<WebGpuFindings> {
  const decoders = await provideWasm();
  const adapter = await findAdapter({ software: true });
  let device: GPUDevice | undefined;
  const request = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (descriptor) => device = await request(descriptor);
  const wasmBinary = await fetchBytes(new URL("ort-wasm-simd-threaded.asyncify.wasm", host));
  const backend = await openWebGpuBackend(adapter, { wasmBinary });
  const bundle = httpSource(new URL("bundle/", host));
  const lines: string[] = [];
  const warn = (line: string) => lines.push(line);
  const classifier = await createClassifier({ bundle, decoders, backends: [backend], warn });
  const wasm = await createClassifier({ bundle, decoders });
  const picture = await fetchBytes(new URL("pictures/storm.jpg", host));
  const { embedding: expected } = await wasm.embed(picture.slice());
  const backends: string[] = [];
  const distances: number[] = [];
  const embed = async () => {
    const { embedding } = await classifier.embed(picture.slice());
    const apart = embedding.map((value, i) => Math.abs(value - expected[i]));
    distances.push(Math.max(...apart) / Math.max(...expected.map(Math.abs)));
    backends.push(classifier.model.encoder.backend);
  };
  await embed();
  const original = device?.createBindGroup.bind(device);
  Object.defineProperty(device, "createBindGroup", {
    value(descriptor: GPUBindGroupDescriptor) {
      device?.destroy();
      return original?.(descriptor);
    },
  });
  await embed();
  return { backends, distances, lines };
}

scope.onmessage = ({ data }) =>
  void find(data).catch((error) => String(error)).then(scope.postMessage);
