/**
 * A model in ONNX Runtime's machine code, as the package `onnxruntime-node` runs it: the same from Deno and from Node, which
 * load it in their own ways.
 */

import type { Backend, ExternalData, OutputTensor, Session } from "./backend.ts";
import { makeFeeds } from "./feeds.ts";

/** What is used of `onnxruntime-node`, which this project does not depend on. */
export interface OnnxRuntime {
  /** Makes tensors. */
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OutputTensor;
  /** Opens models. */
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<NativeSession>;
  };
}

/** An open model, as the package has it. */
export interface NativeSession {
  /** Of the model. */
  readonly inputNames: readonly string[];
  /** Of the model. */
  readonly outputNames: readonly string[];
  /** Runs the model. */
  run(
    inputs: Readonly<Record<string, OutputTensor>>,
    outputs: readonly string[],
  ): Promise<Readonly<Record<string, OutputTensor>>>;
  /** Frees the session. */
  release(): Promise<void>;
}

/**
 * Makes the backend of a CPU.
 *
 * @param ort the package
 * @param threads of one run; 0 for as many as ONNX Runtime chooses
 */
export function cpuBackend(ort: OnnxRuntime, threads: number): Backend {
  return {
    name: "native",
    open: (model, externalData = []) =>
      openSession(ort, model, externalData, {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
      }),
  };
}

/**
 * Opens a model.
 *
 * @param ort the package
 * @param model ONNX bytes
 * @param externalData weights beside it
 * @param options the package's own
 * @throws {Error} in a sentence, when the model is refused
 */
export async function openSession(
  ort: OnnxRuntime,
  model: Uint8Array,
  externalData: readonly ExternalData[],
  options: Readonly<Record<string, unknown>>,
): Promise<Session> {
  const session = await ort.InferenceSession.create(model, {
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...options,
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
      const feeds = makeFeeds(ort.Tensor, inputs);
      return (await session.run(feeds, [output]))[output];
    },
    close: () => session.release(),
  };
}
