/**
 * What runs the encoder: what the user chose, or the fastest that is there.
 */

import { type Backend, type BackendName, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { TrainerError } from "../errors.ts";

/** Ways to open backends, fastest first. Each throws in a sentence where it cannot be had. */
const BACKENDS = new Map<BackendName, (threads: number) => Backend>([
  ["native", (threads) => openNativeBackend({ threads })],
  ["wasm", () => wasmBackend],
]);

/** What a user may choose: a backend, or `auto`. */
export const BACKEND_CHOICES: readonly string[] = ["auto", ...BACKENDS.keys()];

/**
 * Opens a backend.
 *
 * @param name which
 * @param threads of one run, where the backend has a choice
 * @throws {Error} in a sentence, when it cannot be had
 */
export function openBackend(name: BackendName, threads: number): Backend {
  const open = BACKENDS.get(name);
  if (open) return open(threads);
  throw new TrainerError(
    `Cannot embed with the backend ${JSON.stringify(name)}: there is ${BACKEND_CHOICES.join(", ")}`,
  );
}

/**
 * Chooses a backend, and makes sure that it can be had. One that was named is never replaced by another.
 *
 * @param choice a backend's name, or `auto`
 * @param allowed what may run the encoder; anything where that is not said
 * @throws {Error} in a sentence, when there is none
 */
export function chooseBackend(choice: string, allowed?: readonly string[]): BackendName {
  const isAllowed = (name: string) => allowed?.includes(name) ?? true;
  if (choice !== "auto") {
    const name = choice as BackendName;
    openBackend(name, 1);
    if (isAllowed(name)) return name;
    throw new TrainerError(
      `Cannot embed with the backend ${choice}: the encoder is for ${allowed?.join(", ")}`,
    );
  }
  for (const [name, open] of BACKENDS) {
    if (!isAllowed(name)) continue;
    try {
      open(1);
      return name;
    } catch {
      // The next one may be there.
    }
  }
  throw new TrainerError(
    `Cannot embed: the encoder is for ${allowed?.join(", ")}, and none of these can be had here`,
  );
}
