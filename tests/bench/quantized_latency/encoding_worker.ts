/**
 * The project's Worker behind an entry that can also be asked to encode alone, as often as one likes.
 *
 * A clock inside an isolate stands still while code runs, so that all is timed from outside.
 */

import { fileURLToPath } from "node:url";
import { makeTemporaryFolder } from "../../e2e/temporary_folder.ts";
import { startConfiguredWorker } from "../../e2e/worker_process.ts";
import { type BundleFiles, writeBundleFiles } from "../../synthetic_bundle.ts";
import type { MeasuredWorker } from "./workers.ts";

/** A running Worker. */
export interface EncodingWorker extends MeasuredWorker {
  /** Encodes the golden input, so often within one request. */
  encode(times: number): Promise<void>;
}

const PATH = "/test/encode";

const entry = (worker: string, ort: string, loop: string) => `
import ort from ${JSON.stringify(ort)};
import { createEncodeLoop } from ${JSON.stringify(loop)};
import worker from ${JSON.stringify(worker)};

const encode = createEncodeLoop(ort);
export default {
  fetch: (request, env, context) =>
    new URL(request.url).pathname === "${PATH}"
      ? encode(request, env)
      : worker.fetch(request, env, context),
};
`;

/**
 * Starts a Worker.
 *
 * @param bundle that it serves
 * @throws {Error} with what was said, when it does not start
 */
export async function startEncodingWorker(bundle: BundleFiles): Promise<EncodingWorker> {
  await using stack = new AsyncDisposableStack();
  const laidOut = await makeTemporaryFolder("encoding_worker");
  stack.defer(() => laidOut.remove());
  await writeBundleFiles(bundle, laidOut.url);
  const pathOf = (specifier: string) => fileURLToPath(import.meta.resolve(specifier));
  const worker = await startConfiguredWorker(laidOut.path, async (config, folder) => {
    const ort = pathOf("onnxruntime-web/ort-wasm-simd-threaded.wasm");
    const main = `${folder}entry.js`;
    await Deno.writeTextFile(main, entry(config.main, ort, pathOf("./encode_loop.ts")));
    return { ...config, main };
  });
  stack.defer(async () => void await worker.stop());
  const ask = async (path: string, init: RequestInit) => {
    const response = await fetch(worker.url + path, { method: "POST", ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`The Worker does not answer: ${text.slice(0, 500)}`);
  };
  const held = stack.move();
  return {
    classify: (body) => ask("/v1/classify", { body }),
    encode: (times) => ask(`${PATH}?times=${times}`, {}),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
