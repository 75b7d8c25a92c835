/**
 * The CUDA backend, as far as a machine without a card can say: when it is refused, and what it asks ONNX Runtime for.
 */

import { createClassifier, wasmBackend } from "@clip-e/edge";
import assert from "node:assert/strict";
import { chooseBackends, readBackendChoice } from "../../edge/adapter/deno/choose_backends.ts";
import { createCudaBackend } from "../../edge/adapter/deno/cuda_backend.ts";
import { loadOnnxRuntime } from "../../edge/adapter/deno/onnx_runtime_node.ts";
import type { NativeSession } from "../../edge/backend/native_session.ts";
import { isNativeInstalled, unlessInstalled } from "../native_installed.ts";
import { INT8, makeQuantizedBundle } from "../quantized_bundle.ts";

const MODEL = new URL("../../fixtures/bundles/tiny/encoder.onnx", import.meta.url);
const SESSION: NativeSession = {
  inputNames: ["pixels"],
  outputNames: ["embedding"],
  run: () => Promise.resolve({}),
  release: () => Promise.resolve(),
};

function isProviderInstalled(): boolean {
  const folder = new URL("../../edge/adapter/deno/native/node_modules/", import.meta.url);
  const library = "onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so";
  try {
    return Deno.statSync(new URL(library, folder)).isFile;
  } catch {
    return false;
  }
}

/** ONNX Runtime whose sessions are refused for reasons, one after the other, and then open. */
function fakeRuntime(...refusals: string[]) {
  const asked: Readonly<Record<string, unknown>>[] = [];
  const ort = {
    Tensor: class {
      constructor(
        readonly type: string,
        readonly data: unknown,
        readonly dims: readonly number[],
      ) {}
    },
    InferenceSession: {
      create(_model: Uint8Array, options: Readonly<Record<string, unknown>>) {
        asked.push(options);
        const why = refusals.shift();
        return why === undefined ? Promise.resolve(SESSION) : Promise.reject(new Error(why));
      },
    },
  };
  return { ort, asked };
}

Deno.test("createCudaBackend() asks for the provider, and for nothing to run elsewhere", async () => {
  const { ort, asked } = fakeRuntime();
  const said: string[] = [];
  const backend = createCudaBackend(ort, (line) => said.push(line));
  const session = await backend.open(new Uint8Array());
  assert.deepEqual(session.outputNames, ["embedding"]);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0].executionProviders, ["cuda"]);
  assert.deepEqual(asked[0].extra, { session: { disable_cpu_ep_fallback: "1" } });
  assert.deepEqual(said, []);
});

Deno.test("createCudaBackend() says so when a part of the model runs on the CPU", async () => {
  const { ort, asked } = fakeRuntime(
    "This session contains graph nodes that are assigned to the default CPU EP, " +
      "but fallback to CPU EP has been explicitly disabled by the user.",
  );
  const said: string[] = [];
  await createCudaBackend(ort, (line) => said.push(line)).open(new Uint8Array());
  assert.deepEqual(asked.map(({ executionProviders }) => executionProviders), [["cuda"], ["cuda"]]);
  assert.equal(asked[1].extra, undefined);
  assert.match(said.join(), /runs on the CPU/);
});

Deno.test("createCudaBackend() refuses to go on when there is no card", async () => {
  const { ort, asked } = fakeRuntime("CUDA failure 100: no CUDA-capable device is detected");
  const backend = createCudaBackend(ort, () => assert.fail("it went on"));
  await assert.rejects(backend.open(new Uint8Array()), /refuses it: .*no CUDA-capable device/);
  assert.equal(asked.length, 1);
});

Deno.test({
  name:
    `ONNX Runtime knows the setting by which the CUDA backend detects a fallback${unlessInstalled}`,
  ignore: !isNativeInstalled,
  async fn() {
    const create = async (extra: object) =>
      await loadOnnxRuntime().InferenceSession.create(await Deno.readFile(MODEL), {
        executionProviders: ["cpu"],
        logSeverityLevel: 4,
        extra,
      });
    await assert.rejects(create({ session: { disable_cpu_ep_fallback: "1" } }), /fallback to CPU/i);
    await (await create({ session: { disable_cpu_ep_fallback: "0" } })).release();
  },
});

Deno.test({
  name:
    `chooseBackends() says how to install the CUDA provider where it is not there${unlessInstalled}`,
  ignore: !isNativeInstalled,
  async fn() {
    const chosen = chooseBackends(readBackendChoice("cuda"));
    if (isProviderInstalled()) {
      return assert.deepEqual((await chosen).map(({ name }) => name), ["cuda"]);
    }
    const message = /CUDA provider is not installed.*docs\/server\.md/;
    await assert.rejects(chosen, { name: "ClipEError", message });
  },
});

Deno.test("chooseBackends() never takes CUDA by itself", async () => {
  assert.ok((await chooseBackends("auto", { gpu: false })).every(({ name }) => name !== "cuda"));
});

Deno.test("createClassifier() gives a backend the encoders that it takes, in its own order", async () => {
  const files = await makeQuantizedBundle();
  const bundle = { read: (path: string) => Promise.resolve(files.get(path)) };
  const manifest = JSON.parse(new TextDecoder().decode(files.get("manifest.json")));
  for (const entry of manifest.encoders) {
    entry.backends = [entry.file.path === INT8 ? "wasm" : "webgpu"];
  }
  files.set("manifest.json", new TextEncoder().encode(JSON.stringify(manifest)));
  for (const [takes, file] of [[["webgpu", "wasm"], "encoder.onnx"], [["wasm"], INT8]] as const) {
    const backend = { ...wasmBackend, name: "cuda", takes } as const;
    const classifier = await createClassifier({ bundle, backends: [backend] });
    assert.deepEqual(
      [classifier.model.encoder.file, classifier.model.encoder.backend],
      [file, "cuda"],
    );
    await classifier.close();
  }
});
