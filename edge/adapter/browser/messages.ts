/**
 * What a page and its worker say to each other. The page reads the bundle for the worker, so that any source will do.
 */

import { ClipEError, type ErrorCode } from "@clip-e/shared";
import type { ModelInfo } from "../../model_info.ts";
import type { ClassifyOptions } from "../../plan.ts";
import type { WasmUrls } from "./wasm_files.ts";

/** Something to compute, whose bytes are handed over. */
export type Job =
  | {
    readonly kind: "classify";
    readonly input: Uint8Array<ArrayBuffer>;
    readonly options: ClassifyOptions;
  }
  | { readonly kind: "embed"; readonly input: Uint8Array<ArrayBuffer> }
  | {
    readonly kind: "score";
    readonly input: Float32Array<ArrayBuffer>;
    readonly options: ClassifyOptions;
  };

/** How the worker opens its bundle. */
export interface OpenMessage {
  /** Tells it from the others. */
  readonly kind: "open";
  /** What errors call the bundle. */
  readonly location?: string | undefined;
  /** The expected digest of the manifest. */
  readonly digest?: string;
  /** A larger picture is refused. */
  readonly maxPixels?: number;
  /** Where the WebAssembly is; by default beside the worker's script. */
  readonly wasm?: WasmUrls;
}

/** A file of the bundle, as the worker asked for it, or why it cannot be had. */
export interface FileMessage {
  /** Tells it from the others. */
  readonly kind: "file";
  /** Of the question. */
  readonly id: number;
  /** Absent where there is no such file. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
  /** Why it cannot be had. */
  readonly error?: SentError;
}

/** What the page says. */
export type PageMessage = OpenMessage | FileMessage | (Job & { readonly id: number });

/** What the worker says. */
export type WorkerMessage =
  | { readonly kind: "read"; readonly id: number; readonly path: string }
  | { readonly kind: "open"; readonly model: ModelInfo }
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | { readonly kind: "failed"; readonly id?: number; readonly error: SentError };

/** An error that goes from one to the other, where classes are lost. */
export interface SentError {
  /** Absent where it was not raised on purpose. */
  readonly code?: ErrorCode;
  /** A sentence. */
  readonly message: string;
}

/** An error to be sent. */
export function packError(error: unknown): SentError {
  if (error instanceof ClipEError) return { code: error.code, message: error.message };
  return { message: error instanceof Error ? error.message : String(error) };
}

/** An error that was sent. */
export function unpackError({ code = "internal", message }: SentError): ClipEError {
  return new ClipEError(code, message);
}
