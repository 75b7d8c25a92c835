/**
 * Pictures and labels in, a bundle out. The trainer is a command line, `train.ts`; these are its parts, for scripts of one's
 * own: {@linkcode readDataset}, {@linkcode openEmbedder}, {@linkcode fit}, {@linkcode averageHeads} and {@linkcode evaluate},
 * in this order.
 *
 * @module
 */

export { averageHeads } from "./fit/average_heads.ts";
export { type Dataset, type Example, type LabelMap, type Split, SPLITS } from "./data/dataset.ts";
export { readDataset, type ReadDatasetOptions } from "./data/read_dataset.ts";
export { decodeFile } from "./embedding/decode_file.ts";
export * from "./embedding/mod.ts";
export {
  type EncoderFile,
  openEncoderFile,
  type OpenEncoderFileOptions,
  parsePreprocessing,
} from "./encoder/encoder_file.ts";
export { TrainerError } from "./errors.ts";
export { evaluate, type Evaluation } from "./evaluation/evaluate.ts";
export type { ExternalData } from "./encoder/external_data.ts";
export type { CheckpointOptions } from "./fit/checkpoint.ts";
export { type Device, DEVICE_CHOICES, type DeviceChoice, openDevice } from "./fit/device.ts";
export { fit, type FittedHead } from "./fit/fit.ts";
export type { FitData } from "./fit/fit_data.ts";
export {
  type ContrastivePlan,
  type CrossEntropyPlan,
  type Epoch,
  type EpochProgress,
  type FitOptions,
  type FitSettings,
  type HeadPlan,
  type Preset,
  presetOptions,
} from "./fit/fit_options.ts";
export type { Schedule } from "./fit/schedule.ts";
