/**
 * What runs ONNX models. The rest of the edge knows this interface alone, so that it does not matter to it which runtime
 * computes.
 */

/** What a backend is called in manifests, flags and answers. */
export type BackendName = "wasm" | "native" | "webgpu" | "cuda";

/** Weights that lie in a file of their own, beside the model. */
export interface ExternalData {
  /** What the model calls the file: its path from the model's folder. */
  readonly path: string;
  /** Its content. */
  readonly bytes: Uint8Array;
}

/** A tensor that goes in. */
export type InputTensor =
  | { readonly type: "float32"; readonly data: Float32Array; readonly dims: readonly number[] }
  | { readonly type: "int64"; readonly data: BigInt64Array; readonly dims: readonly number[] };

/** A tensor that comes out. */
export interface OutputTensor {
  /** Of its elements, in ONNX Runtime's words: `float32` ... */
  readonly type: string;
  /** Row-major. */
  readonly data: unknown;
  /** Its shape. */
  readonly dims: readonly number[];
}

/** An open model. */
export interface Session {
  /** Of the model. */
  readonly inputNames: readonly string[];
  /** Of the model. */
  readonly outputNames: readonly string[];
  /**
   * Runs the model and gives one of its outputs.
   *
   * @throws {BackendLost} when the backend is not to be used any more
   */
  run(inputs: Readonly<Record<string, InputTensor>>, output: string): Promise<OutputTensor>;
  /** Frees the session. */
  close(): Promise<void>;
}

/** Runs models. */
export interface Backend {
  /** Its name. */
  readonly name: BackendName;
  /** Whose encoders it runs, best first, by the names in manifests; those for itself by default. */
  readonly takes?: readonly BackendName[];
  /** The precisions that it runs, by the names in manifests; all by default. */
  readonly precisions?: readonly string[];
  /** Set where it may give wrong numbers without an error: it runs only what is held against known numbers first. */
  readonly needsProof?: true;
  /**
   * Opens a model.
   *
   * @param model ONNX bytes
   * @param externalData weights beside it
   * @throws {Error} in a sentence, when the model is refused
   */
  open(model: Uint8Array, externalData?: readonly ExternalData[]): Promise<Session>;
}

/** How an encoder is opened. */
export interface OpenModelOptions {
  /** What runs it; WebAssembly by default. */
  readonly backend?: Backend;
  /** Weights that lie beside it. */
  readonly externalData?: readonly ExternalData[];
}
