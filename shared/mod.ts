/**
 * What trainer and edge must agree on: taxonomies, preprocessing, heads, scores and bundles. Plain web-standard
 * TypeScript, without any file, network or runtime API.
 *
 * @module
 */

export * from "./bundle.ts";
export * from "./dense.ts";
export * from "./errors.ts";
export * from "./golden.ts";
export * from "./head.ts";
export { writeHead } from "./head_file.ts";
export * from "./manifest.ts";
export * from "./picture.ts";
export * from "./preprocess.ts";
export * from "./resample.ts";
export * from "./safetensors.ts";
export * from "./scoring.ts";
export * from "./sha256.ts";
export * from "./sigmoid.ts";
export * from "./softmax.ts";
export * from "./software_adapter.ts";
export * from "./taxonomy.ts";
export * from "./unit_vector.ts";
export * from "./zero_shot.ts";
