/**
 * What runs ONNX models: the interface, and the backend that runs everywhere.
 *
 * @module
 */

export * from "./backend.ts";
export { BackendLost } from "./backend_lost.ts";
export { wasmBackend } from "./wasm.ts";
