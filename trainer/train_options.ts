/**
 * The options of `deno task train`, and what is wrong with them, found before any work.
 */

import { type FlagValues, UsageError } from "@clip-e/shared/command-line";
import { basename } from "node:path";
import type { BundleIdentity } from "./bundle/bundle_draft.ts";
import type { ReadDatasetOptions } from "./data/read_dataset.ts";
import { BACKEND_CHOICES } from "./embedding/choose_backend.ts";
import { TrainerError } from "./errors.ts";
import { DEVICE_CHOICES, type DeviceChoice } from "./fit/device.ts";
import type { FitOptions, Preset } from "./fit/fit_options.ts";
import type { Schedule } from "./fit/schedule.ts";
import { userDataset, userPath } from "./user_path.ts";

const SCHEDULES: readonly Schedule[] = ["constant", "cosine"];

/** What a data set may be, for the help of commands. */
export const DATA_HELP =
  "csv:FILE (columns file and label), folder:DIR (a folder for each label), parquet:FILES, tar:FILES (WebDataset),\n" +
  "or a known data set: webemo:DIR, emotionroi:DIR, emotion6:DIR, fi:DIR, twitter1:DIR, twitter2:DIR, oasis:DIR";

/** Options on reading data sets, which several commands have. */
export const DATA_FLAGS = {
  layout: {
    kind: "string",
    value: "FILE",
    help: "JSON: how a known data set, or a folder, is laid out here",
  },
  groupBy: {
    kind: "string",
    value: "COLUMN",
    help: "Rows that share its value are never split between training and testing",
  },
  pictureColumn: { kind: "string", value: "NAME", help: "Of pictures, in a table or Parquet" },
  labelColumn: {
    kind: "string",
    value: "NAME",
    help: "Of labels, in a table or Parquet, or in the .json of shards",
  },
  agree: { kind: "integer", min: 3, max: 5, help: "Of twitter1: how many of five people agreed" },
  deadZone: {
    kind: "number",
    min: 0,
    help: "Of ratings: pictures no farther than this from the middle are left out",
  },
} as const;

/** Options on embedding, which several commands have. */
export const EMBED_FLAGS = {
  cache: {
    kind: "string",
    value: "DIR",
    help: "Of embeddings (default: the project's .cache/embeddings)",
  },
  backend: {
    kind: "string",
    value: "NAME",
    default: "auto",
    help: `What runs the encoder: ${BACKEND_CHOICES.join(", ")}`,
  },
  workers: { kind: "integer", min: 1, help: "Pictures at a time (default: one to each core)" },
} as const;

/** The options. */
export const TRAIN_FLAGS = {
  data: { kind: "string", value: "SOURCE", help: DATA_HELP },
  encoder: {
    kind: "string",
    value: "FILE",
    help: "ONNX, with its preprocessor_config.json beside it; or instead",
  },
  bundle: {
    kind: "string",
    value: "DIR",
    help:
      "a bundle, such as deno task build makes: its encoder, and its prompts for what needs text",
  },
  taxonomy: {
    kind: "strings",
    value: "ID",
    help:
      "polarity, primary, secondary, mikels, quadrant, or a name of your own (default: all that the data set is known\nto have)",
  },
  out: {
    kind: "string",
    value: "DIR",
    help: "The bundle; one of the same encoder gets more heads",
  },
  report: { kind: "string", value: "DIR", help: "Of the experiment (default: report in --out)" },
  testOn: {
    kind: "strings",
    value: "SOURCE",
    help: "Another data set to measure every method on: the cross-dataset table",
  },
  ...DATA_FLAGS,
  folds: {
    kind: "integer",
    min: 2,
    help: "Measure by cross-validation, and train the heads on all pictures",
  },
  test: {
    kind: "number",
    min: 0,
    default: 0.2,
    help: "Share measured on, without --folds and without a test part in the data",
  },
  members: {
    kind: "integer",
    min: 1,
    help:
      "Heads that are trained, each stopped by another part of the pictures, and averaged (default: 4, and 1 by the\nrecipe paper)",
  },
  seed: { kind: "integer", min: 0, default: 0, help: "Of splits and weights" },
  seeds: {
    kind: "integer",
    min: 1,
    max: 100,
    default: 1,
    help: "Train everything so many times, with mean and deviation; the first is served",
  },
  plain: {
    kind: "boolean",
    help: "The published methods alone, without those that go beyond the paper",
  },
  recipe: {
    kind: "string",
    value: "NAME",
    default: "auto",
    help: "paper, small, or auto: paper from 20,000 training pictures on",
  },
  hidden: { kind: "integer", min: 1, default: 512, help: "Units of the hidden layer" },
  epochs: { kind: "integer", min: 1, help: "At most" },
  patience: { kind: "integer", min: 1, help: "Epochs that are no better on validation" },
  batch: { kind: "integer", min: 1, help: "Pictures in a step" },
  learningRate: { kind: "number", min: 0, help: "Of Adam" },
  schedule: { kind: "string", value: "NAME", help: `Of that: ${SCHEDULES.join(", ")}` },
  weightDecay: { kind: "number", min: 0, help: "Decoupled, on kernels" },
  labelSmoothing: { kind: "number", min: 0, max: 0.99, help: "Of cross-entropy heads" },
  balance: { kind: "boolean", help: "Weigh labels so that each counts the same" },
  device: {
    kind: "string",
    value: "NAME",
    default: "auto",
    help: `What computes the training: ${
      DEVICE_CHOICES.join(", ")
    }; auto takes no software adapter`,
  },
  ...EMBED_FLAGS,
  keepNearDuplicates: {
    kind: "boolean",
    help: "Measure on pictures too that look like training pictures",
  },
  plan: { kind: "boolean", help: "Say what would be done, and stop" },
  predictions: {
    kind: "string",
    value: "FILE",
    help: "Write each picture's scores by the served method, as JSON lines",
  },
  name: { kind: "string", value: "NAME", help: "Of the bundle (default: its folder's)" },
  space: { kind: "string", value: "ID", help: "Of the embeddings (default: from the encoder)" },
  license: {
    kind: "string",
    value: "TEXT",
    help: `Of the weights (default: "Not stated.")`,
  },
  origin: { kind: "string", value: "TEXT", help: "Where the encoder comes from" },
  about: { kind: "string", value: "FILE", help: "Markdown that opens the model card" },
  json: { kind: "boolean", help: "Print the summary as JSON" },
} as const;

/** Their values. */
export type TrainOptions = FlagValues<typeof TRAIN_FLAGS>;

/** Options that were checked, with absolute paths. */
export interface TrainRequest {
  /** To learn from. */
  readonly data: string;
  /** Only measured on. */
  readonly testOn: readonly string[];
  /** Of an ONNX file, or else */
  readonly encoder: string | undefined;
  /** of a bundle. */
  readonly bundle: string | undefined;
  /** The bundle to write. */
  readonly out: string;
  /** The folder of the report. */
  readonly report: string;
  /** Asked for. */
  readonly taxonomies: readonly string[];
  /** Of the new bundle, unless it is given a name. */
  readonly name: string;
  /** What computes the training. */
  readonly device: DeviceChoice;
  /** `undefined` for the one that fits the data. */
  readonly recipe: Preset | undefined;
}

/** What a manifest takes as an id. */
const ID = /^[a-z0-9][a-z0-9._-]*$/;

/** Seeds of members and folds, its multiples, stay whole numbers. */
const MAX_SEED = 2 ** 31 - 1;

/**
 * Checks the options.
 *
 * @param options as the user gave them
 * @throws {UsageError} in a sentence that names the option
 */
export function checkTrainOptions(options: TrainOptions): TrainRequest {
  const { data, encoder, bundle, taxonomy, out, name, test, seed, learningRate } = options;
  if (data === undefined) throw new UsageError("--data is needed");
  if (encoder === undefined && bundle === undefined) {
    throw new UsageError("--encoder or --bundle is needed");
  }
  if (encoder !== undefined && bundle !== undefined) {
    throw new UsageError("--encoder and --bundle do not go together: a bundle has an encoder");
  }
  if (out === undefined) throw new UsageError("--out is needed");
  for (const id of taxonomy) checkId("taxonomy", id);
  if (name !== undefined) checkId("name", name);
  if (test === 0 || test >= 1) throw new UsageError("--test must be between 0 and 1");
  if (seed > MAX_SEED) throw new UsageError(`--seed must be at most ${MAX_SEED}`);
  if (learningRate === 0) throw new UsageError("--learning-rate must be above 0");
  oneOf("backend", options.backend, BACKEND_CHOICES);
  const recipe = oneOf("recipe", options.recipe, ["auto", "paper", "small"]);
  const folder = userPath(out);
  return {
    data: userDataset(data),
    testOn: options.testOn.map(userDataset),
    encoder: encoder === undefined ? undefined : userPath(encoder),
    bundle: bundle === undefined ? undefined : userPath(bundle),
    out: folder,
    report: options.report === undefined ? `${folder}/report` : userPath(options.report),
    taxonomies: taxonomy,
    name: name ?? deriveName(folder),
    device: oneOf("device", options.device, DEVICE_CHOICES),
    recipe: recipe === "auto" ? undefined : recipe,
  };
}

function checkId(option: string, id: string): void {
  if (ID.test(id)) return;
  throw new UsageError(`--${option} must be lower-case letters, digits, . _ -`);
}

/**
 * Picks a choice by its name.
 *
 * @param option without dashes
 * @param given by the user
 * @param choices that there are
 * @throws {UsageError} when there is no such choice
 */
export function oneOf<T extends string>(option: string, given: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === given);
  if (choice !== undefined) return choice;
  throw new UsageError(
    `--${option} must be ${choices.join(", ")}, got ${JSON.stringify(given)}`,
  );
}

/** A bundle's name, from its folder's. */
function deriveName(out: string): string {
  const folder = basename(out);
  const name = folder.toLowerCase().replace(/[^a-z0-9._-]+/g, "-");
  if (ID.test(name)) return name;
  throw new UsageError(
    `The bundle cannot be called ${JSON.stringify(folder)}, as its folder is: give a --name`,
  );
}

/**
 * What the options say of fitting.
 *
 * @param options as the user gave them
 */
export function fitOptions(options: TrainOptions): FitOptions {
  const { epochs, patience, batch, learningRate, weightDecay, schedule } = options;
  return {
    ...(epochs !== undefined && { maxEpochs: epochs }),
    ...(patience !== undefined && { patience }),
    ...(batch !== undefined && { batchSize: batch }),
    ...(learningRate !== undefined && { learningRate }),
    ...(weightDecay !== undefined && { weightDecay }),
    ...(schedule !== undefined && { schedule: oneOf("schedule", schedule, SCHEDULES) }),
  };
}

/**
 * What the options say of the bundle.
 *
 * @param options as the user gave them
 * @throws {TrainerError} when the file of `--about` cannot be read
 */
export async function readGiven(options: TrainOptions): Promise<Partial<BundleIdentity>> {
  const { name, space, license, origin, about } = options;
  return {
    ...(name !== undefined && { name }),
    ...(space !== undefined && { embeddingSpace: space }),
    ...(license !== undefined && { license }),
    ...(origin !== undefined && { encoderOrigin: origin }),
    ...(about !== undefined && { about: await readAbout(userPath(about)) }),
  };
}

async function readAbout(file: string): Promise<string> {
  return await Deno.readTextFile(file).catch((cause) => {
    throw new TrainerError(`Cannot read ${file}: ${cause.message}`, { cause });
  });
}

/**
 * What the options say of reading data sets.
 *
 * @param options as the user gave them
 */
export function datasetOptions(
  { layout, groupBy, pictureColumn, labelColumn, agree, deadZone }: FlagValues<typeof DATA_FLAGS>,
): ReadDatasetOptions {
  return {
    ...(layout !== undefined && { layout: userPath(layout) }),
    ...(groupBy !== undefined && { groupBy }),
    ...(pictureColumn !== undefined && { pictureColumn }),
    ...(labelColumn !== undefined && { labelColumn }),
    ...(agree !== undefined && { agree }),
    ...(deadZone !== undefined && { deadZone }),
  };
}
