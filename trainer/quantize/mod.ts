/**
 * Makes ONNX models smaller: float weights become integers or halves, and the operators that read them others that take
 * those. Bytes in, bytes out; the command that reads and writes files is `trainer/quantize.ts`.
 *
 * @module
 */

export { findKept } from "./find_kept.ts";
export { type ModelFiles, modelFiles } from "./model_files.ts";
export { type ExternalReader, NO_EXTERNAL_DATA, type OnnxModel } from "./onnx_model.ts";
export { makeProbe, type Probe } from "./probe_model.ts";
export {
  QUANTIZE_MODES,
  type QuantizedModel,
  type QuantizeMode,
  quantizeModel,
  type QuantizeOptions,
} from "./quantize_model.ts";
export { readModel } from "./read_model.ts";
export type { NodeReport, QuantizeReport } from "./report.ts";
export { WeightCache } from "./weight_cache.ts";
export {
  layOutModel,
  type LayoutOptions,
  MAX_MODEL_BYTES,
  type ModelLayout,
} from "./write_model.ts";
