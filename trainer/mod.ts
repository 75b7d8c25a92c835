/**
 * Pictures and labels in, a bundle out. The trainer is a command line, `train.ts`; these are its parts, for scripts of one's
 * own.
 *
 * @module
 */

export { averageHeads } from "./average_heads.ts";
export { type Dataset, type Example, readDataset, type ReadDatasetOptions } from "./dataset.ts";
export { decodeFile } from "./decode_file.ts";
export {
  type EncoderFile,
  openEncoderFile,
  type OpenEncoderFileOptions,
  parsePreprocessing,
} from "./encoder_file.ts";
export { TrainerError } from "./errors.ts";
export type { ExternalData } from "./external_data.ts";
export { evaluate, type Evaluation } from "./evaluation.ts";
export {
  type Epoch,
  type EpochProgress,
  type FitData,
  fitHead,
  type FitOptions,
  type FittedHead,
} from "./fit_head.ts";
