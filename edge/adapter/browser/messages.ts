/**
 * What a page and its worker say to each other. The page reads the bundle for the worker, so that any source will do.
 */

import { ClipEError, type ErrorCode } from "@clip-e/shared";
import type { FileProgress } from "../../http_source.ts";
import type { ModelInfo } from "../../model_info.ts";
import type { ClassifyOptions } from "../../plan.ts";
import type { OpenSetup } from "./open_classifier.ts";

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
export interface OpenMessage extends OpenSetup {
  /** Tells it from the others. */
  readonly kind: "open";
  /** What errors call the bundle. */
  readonly location?: string | undefined;
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

/** What the worker says. `model` comes before the first answer that it gives, and before one whose encoder took over. */
export type WorkerMessage =
  | { readonly kind: "read"; readonly id: number; readonly path: string }
  | { readonly kind: "progress"; readonly progress: FileProgress }
  | { readonly kind: "warn"; readonly line: string }
  | { readonly kind: "model"; readonly model: ModelInfo }
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
