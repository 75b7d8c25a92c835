/**
 * What runs the encoder: what the user chose, or the fastest that is there.
 */

import { type Backend, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { openWebGpu } from "@clip-e/edge/webgpu";
import { TrainerError } from "../errors.ts";

/** What embeds: a backend, or WebGPU on what only pretends to be a GPU. */
export type EmbeddingBackend = "native" | "wasm" | "webgpu" | "webgpu-software";

/** Ways to open backends. Each throws in a sentence where it cannot be had. */
const BACKENDS: Readonly<
  Record<EmbeddingBackend, (threads: number) => Backend | Promise<Backend>>
> = {
  "native": (threads) => openNativeBackend({ threads }),
  "wasm": () => wasmBackend,
  "webgpu": () => openWebGpu(),
  "webgpu-software": () => openWebGpu(true),
};

const NAMES = Object.keys(BACKENDS) as EmbeddingBackend[];

/** Of these `auto` takes the first: WebGPU was never measured on a GPU, and is used where it is named. */
const AUTO: readonly EmbeddingBackend[] = ["native", "wasm"];

/** What a user may choose: a backend, or `auto`. */
export const BACKEND_CHOICES: readonly string[] = ["auto", ...NAMES];

/**
 * Opens a backend.
 *
 * @param name which
 * @param threads of one run, where the backend has a choice
 * @throws {Error} in a sentence, when it cannot be had
 */
export async function openBackend(name: EmbeddingBackend, threads: number): Promise<Backend> {
  return await BACKENDS[name](threads);
}

/**
 * Chooses a backend, and makes sure that it can be had. One that was named is never replaced by another.
 *
 * @param choice a backend's name, or `auto`
 * @param allowed what may run the encoder; anything where that is not said
 * @throws {Error} in a sentence, when there is none
 */
export async function chooseBackend(
  choice: string,
  allowed?: readonly string[],
): Promise<EmbeddingBackend> {
  const isAllowed = (name: EmbeddingBackend) =>
    allowed?.includes(name === "webgpu-software" ? "webgpu" : name) ?? true;
  if (choice !== "auto") {
    const name = NAMES.find((known) => known === choice);
    if (!name) {
      throw new TrainerError(
        `Cannot embed with the backend ${JSON.stringify(choice)}: there is ${
          BACKEND_CHOICES.join(", ")
        }`,
      );
    }
    await openBackend(name, 1);
    if (isAllowed(name)) return name;
    throw new TrainerError(
      `Cannot embed with the backend ${choice}: the encoder is for ${allowed?.join(", ")}`,
    );
  }
  for (const name of AUTO.filter(isAllowed)) {
    try {
      await openBackend(name, 1);
      return name;
    } catch {
      // The next one may be there.
    }
  }
  throw new TrainerError(
    `Cannot embed: the encoder is for ${allowed?.join(", ")}, and none of these can be had here`,
  );
}
