/**
 * WebGPU on Deno: a door of its own, so that its code is loaded only where there is an adapter.
 */

import type { Backend } from "../../backend/backend.ts";
import { findAdapter } from "../../backend/find_adapter.ts";
import { muteDesktop } from "./mute_desktop.ts";

export { muteDesktop } from "./mute_desktop.ts";

/**
 * Opens WebGPU's best adapter.
 *
 * @param software whether one that computes on the CPU will do, for tests
 * @throws {ClipEError} in a sentence, when there is none
 */
export async function openWebGpu(software = false): Promise<Backend> {
  muteDesktop();
  const adapter = await findAdapter({ software });
  const { openWebGpuBackend } = await import("../../backend/webgpu.ts");
  return await openWebGpuBackend(adapter);
}
