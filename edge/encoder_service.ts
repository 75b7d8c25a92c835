/**
 * The encoder that serves. Its backend may fail for good, as a GPU does whose device is lost: then the next that proves
 * itself takes over, and what met the failure is run once more there.
 */

import { type Bundle, ClipEError } from "@clip-e/shared";
import type { Backend } from "./backend/backend.ts";
import { BackendLost } from "./backend/backend_lost.ts";
import { wasmBackend } from "./backend/wasm.ts";
import { encoderFault, openProvenEncoder, type ProvenEncoder } from "./proven_encoder.ts";

/** The encoder that serves, whichever that is. */
export interface EncoderService {
  /** What serves now. */
  readonly serving: ProvenEncoder;
  /**
   * Runs a task, on another encoder if its own is lost meanwhile.
   *
   * @param task what to do with the encoder
   * @throws {ClipEError} `internal`, when none can take over
   */
  run<T>(task: (serving: ProvenEncoder) => Promise<T>): Promise<T>;
}

/**
 * Opens the first encoder that proves itself.
 *
 * @param bundle whose encoders
 * @param backends best first; those after the one that fails take over, or WebAssembly where there are none
 * @param onTakeover hears who took over, and why in a sentence
 * @throws {ClipEError} `invalid-bundle`, when none proves itself
 */
export async function serveEncoder(
  bundle: Bundle,
  backends: readonly Backend[],
  onTakeover: (serving: ProvenEncoder, why: string) => void,
): Promise<EncoderService> {
  let serving = await openProvenEncoder(bundle, backends);
  let takeover: Promise<void> | undefined;

  async function replace(lost: BackendLost): Promise<void> {
    const { entry, backend, encoder, faults } = serving;
    const failed = `The backend ${backend.name} failed while it served: ${lost.message}`;
    const next = await openProvenEncoder(bundle, successors(backends, backend)).catch((error) => {
      throw new ClipEError("internal", `${failed}. Nothing takes over: ${error.message}`);
    });
    await encoder.close().catch(() => {});
    serving = { ...next, faults: [...faults, encoderFault(entry, backend, lost), ...next.faults] };
    const { file, precision } = next.entry;
    onTakeover(
      serving,
      `${failed}. ${file.path} (${precision}) takes over, on the backend ${next.backend.name}`,
    );
  }

  async function run<T>(task: (serving: ProvenEncoder) => Promise<T>): Promise<T> {
    const mine = serving;
    try {
      return await task(mine);
    } catch (error) {
      if (!(error instanceof BackendLost)) throw error;
      if (serving === mine) {
        takeover ??= replace(error).finally(() => takeover = undefined);
        await takeover;
      }
      return await run(task);
    }
  }

  return {
    get serving() {
      return serving;
    },
    run,
  };
}

/** Those that come after a backend: the rest of the list, and where nothing is left, what runs everywhere. */
function successors(backends: readonly Backend[], backend: Backend): readonly Backend[] {
  const rest = backends.slice(backends.indexOf(backend) + 1);
  return rest.length > 0 || backend === wasmBackend ? rest : [wasmBackend];
}
