/**
 * The edge on Node, from 20 on: bundles from folders, ONNX Runtime natively where `onnxruntime-node` is installed.
 *
 * @module
 */

export * from "../../mod.ts";
export { folderSource } from "./folder_source.ts";
export { type NativeBackendOptions, openNativeBackend } from "./native_backend.ts";
export { createClassifier } from "./node_classifier.ts";
