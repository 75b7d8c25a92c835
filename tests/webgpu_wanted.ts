/**
 * Tests on a WebGPU adapter run where they are asked for: `deno task test:webgpu`. Mesa's software adapter, which servers
 * have, now and then corrupts the memory of a process that ends after its threads used it, and takes all other tests along.
 */

/** Whether they were asked for. */
export const isWebGpuWanted = Deno.env.get("CLIP_E_TEST_WEBGPU") === "true";

/** Why they are left out, for the names of tests. */
export const UNLESS_WANTED = " (left out: deno task test:webgpu, where there is a WebGPU adapter)";
