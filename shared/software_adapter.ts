/**
 * Which WebGPU adapters are no GPUs. Mesa's llvmpipe and its like answer on servers as GPUs do, and compute on the CPU,
 * fifteen to twenty times more slowly than WebAssembly: neither trainer nor edge takes one by itself.
 */

/** What is asked of an adapter: a part of WebGPU's `GPUAdapterInfo`. */
export interface AdapterInfo {
  /** Its maker. */
  readonly vendor: string;
  /** Its family. */
  readonly architecture: string;
  /** Its number. */
  readonly device: string;
  /** Its name. */
  readonly description: string;
  /** Whether it says itself that it is slow. */
  readonly isFallbackAdapter?: boolean;
}

/** Names of adapters that compute on the CPU: Mesa's, Google's and Microsoft's. */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|basic render|\bwarp\b/i;

/**
 * Whether an adapter computes on the CPU.
 *
 * @param info of the adapter
 */
export function isSoftwareAdapter(
  { vendor, architecture, device, description, isFallbackAdapter }: AdapterInfo,
): boolean {
  return isFallbackAdapter === true ||
    SOFTWARE.test(`${vendor} ${architecture} ${device} ${description}`);
}

/**
 * What people call an adapter; browsers tell little of it.
 *
 * @param info of the adapter
 */
export function nameAdapter({ description, vendor, architecture }: AdapterInfo): string {
  return description || `${vendor} ${architecture}`.trim() || "without a name";
}
