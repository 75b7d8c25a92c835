/**
 * A Worker's encoder, again and again within one request. What a request takes besides, from wrangler's proxy to the heads,
 * is the same however often it encodes, so that the difference of two requests is encoding alone.
 */

import { goldenInput, openBundle } from "@clip-e/shared";
import { bundleSource, type Env } from "../../../edge/adapter/workerd/env.ts";
import { withOrtModule } from "../../../edge/adapter/workerd/ort_module.ts";
import { wasmBackend } from "../../../edge/backend/wasm.ts";
import {
  openProvenEncoder,
  preprocessingOf,
  type ProvenEncoder,
} from "../../../edge/proven_encoder.ts";

/** Answers a request to encode. */
export type AnswerEncodes = (request: Request, env: Env) => Promise<Response>;

/**
 * Makes what answers `?times=N`: encodes the golden input so often, one after another, as pictures are encoded.
 *
 * @param ort ONNX Runtime, compiled by the platform
 */
export function createEncodeLoop(ort: WebAssembly.Module): AnswerEncodes {
  let opening: Promise<ProvenEncoder> | undefined;
  return async (request, env) => {
    const { encoder, entry } = await (opening ??= open(ort, env));
    const times = Number(new URL(request.url).searchParams.get("times"));
    const pixels = goldenInput(preprocessingOf(entry));
    for (let i = 0; i < times; i++) await encoder.encode(pixels);
    return Response.json({ times });
  };
}

async function open(ort: WebAssembly.Module, env: Env): Promise<ProvenEncoder> {
  const bundle = await openBundle(bundleSource(env));
  return await withOrtModule(ort, () => openProvenEncoder(bundle, [wasmBackend]));
}
