/**
 * ONNX Runtime's native CPU backend, for servers: several times faster than WebAssembly. It is 290 MB on disk and machine
 * code that no sandbox holds, so that it is there only where somebody installed it (`deno task native:install`) and runs
 * only where foreign functions are permitted (`--allow-ffi`).
 */

import { createRequire } from "node:module";
import { ClipEError } from "@clip-e/shared";
import type { Backend, OutputTensor } from "../../backend/backend.ts";

/** What is used of `onnxruntime-node`, which this project does not depend on. */
interface OnnxRuntime {
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OutputTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<NativeSession>;
  };
}

interface NativeSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(
    inputs: Readonly<Record<string, OutputTensor>>,
    outputs: readonly string[],
  ): Promise<Readonly<Record<string, OutputTensor>>>;
  release(): Promise<void>;
}

/** Options of {@link openNativeBackend}. */
export interface NativeBackendOptions {
  /** Threads of one run; as many as there are cores by default. */
  readonly threads?: number;
}

/**
 * Loads `onnxruntime-node`, from the folder that `deno task native:install` fills or from the application's own
 * dependencies.
 *
 * @param options how many threads
 * @throws {ClipEError} in a sentence that says how to install or permit it
 */
export function openNativeBackend(options: NativeBackendOptions = {}): Backend {
  const { threads = navigator.hardwareConcurrency } = options;
  const ort = load();
  return {
    name: "native",
    async open(model, externalData = []) {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        ...(externalData.length > 0 && {
          externalData: externalData.map(({ path, bytes }) => ({ path, data: bytes })),
        }),
      }).catch((cause) => {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`ONNX Runtime refuses it: ${why}`, { cause });
      });
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        async run(inputs, output) {
          const feeds = Object.fromEntries(
            Object.entries(inputs).map(([name, { type, data, dims }]) => [
              name,
              new ort.Tensor(type, data, dims),
            ]),
          );
          return (await session.run(feeds, [output]))[output];
        },
        close: () => session.release(),
      };
    },
  };
}

function load(): OnnxRuntime {
  try {
    return createRequire(new URL("./native/deno.json", import.meta.url))("onnxruntime-node");
  } catch (cause) {
    // Looking for a package that is not there ends above the folders that may be read.
    if (cause instanceof Deno.errors.NotCapable && cause.message.includes("ffi")) {
      throw new ClipEError(
        "internal",
        "The native backend may not be loaded: permit it with --allow-ffi, or choose --backend wasm",
        { cause },
      );
    }
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new ClipEError(
      "internal",
      `The native backend cannot be loaded: ${why}. Install it with deno task native:install, or choose --backend wasm`,
      { cause },
    );
  }
}
