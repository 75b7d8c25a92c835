/**
 * Networks are cut once: what is left is kept beside the views that it was measured on, so that training which was cut off goes
 * on with the same.
 */

import type { Backend } from "@clip-e/edge/encoder";
import { type Preprocessing, sha256 } from "@clip-e/shared";
import { join } from "node:path";
import { toPixels } from "../view_batches.ts";
import type { ViewBank } from "../view_bank.ts";
import { studentPreprocessing } from "../view_maker.ts";
import { cutEncoder, type CutRequest } from "./cut_encoder.ts";

/** Makes a network smaller: ONNX to ONNX. */
export type Cut = (
  request: Omit<CutRequest, "batches" | "backend">,
) => Promise<Uint8Array<ArrayBuffer>>;

/** What networks are measured on, and where they are kept. */
export interface CutSource {
  /** The folder. */
  readonly cache: string;
  /** Views. */
  readonly bank: ViewBank;
  /** How many it has. */
  readonly views: number;
  /** What these depend on, digested. */
  readonly name: string;
  /** How the teacher wants pictures. */
  readonly preprocessing: Preprocessing;
  /** What computes. */
  readonly backend: Backend;
  /** Told that it is going to take a while. */
  readonly say: (words: string) => void;
}

/** Views that are looked at, and how many of them at a time. */
const [VIEWS, BATCH] = [512, 32];

/**
 * Makes what cuts networks.
 *
 * @param source what they are measured on, and where they are kept
 */
export function cutOnce(source: CutSource): Cut {
  const { cache, bank, views, name, preprocessing, backend, say } = source;
  return async (request) => {
    const { bytes, size, keep } = request;
    const count = Math.min(VIEWS, views);
    const batch = Math.min(BATCH, count);
    const key = JSON.stringify([await sha256(bytes), size, keep, name, count]);
    const digest = await sha256(new TextEncoder().encode(key));
    const path = join(cache, `cut-${digest.slice(0, 16)}.onnx`);
    const kept = await Deno.readFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (kept) return kept;
    say(`Cutting ${request.name} to ${keep} of its work, at ${size} pixels`);
    const wanted = studentPreprocessing(preprocessing, size);
    const batches = Array.from({ length: Math.floor(count / batch) }, (_, i) => {
      const numbers = Array.from({ length: batch }, (_, j) => i * batch + j);
      return toPixels(bank.read(numbers), bank.format.size, wanted);
    });
    const rest = await cutEncoder({ ...request, batches, backend });
    await Deno.writeFile(`${path}.part`, rest);
    await Deno.rename(`${path}.part`, path);
    return rest;
  };
}
