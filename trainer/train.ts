/**
 * `deno task train`: labelled pictures in, a bundle out. The straight line of training, in one place:
 * data set -> pictures -> embeddings (cached) -> head -> evaluation -> bundle.
 */

import { basename } from "node:path";
import { findTaxonomy, type LabelName, sha256, type Taxonomy } from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import {
  beginBundle,
  type BundleIdentity,
  finishBundle,
  withHead,
  withMethod,
} from "./bundle_draft.ts";
import { readBundleFolder, writeBundleFolder } from "./bundle_folder.ts";
import { checkAddition } from "./check_addition.ts";
import { type Dataset, readDataset } from "./dataset.ts";
import { embedDataset, type EmbeddedDataset } from "./embed_dataset.ts";
import { EmbeddingCache } from "./embedding_cache.ts";
import { type EncoderFile, openEncoderFile } from "./encoder_file.ts";
import { TrainerError } from "./errors.ts";
import { fail } from "./fail.ts";
import { checkPredictionsFile, writePredictions } from "./predictions.ts";
import { startProgress } from "./progress.ts";
import { formatSummary, type TrainingReport } from "./report.ts";
import { trainHead, type TrainingOutcome } from "./train_head.ts";
import { userDataset, userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task train",
  description:
    "Trains a head on labelled pictures and writes a bundle. Embeddings are kept, so that a run that was cut off\n" +
    "goes on where it was. The same seed on the same machine gives the same bytes.",
  flags: {
    data: {
      kind: "string",
      value: "SOURCE",
      help: "csv:FILE with columns file and label, or folder:DIR with a folder for each label",
    },
    encoder: {
      kind: "string",
      value: "FILE",
      help: "ONNX, with its preprocessor_config.json beside it",
    },
    taxonomy: {
      kind: "string",
      value: "ID",
      help: "polarity, primary, secondary, mikels, quadrant, or a name of your own",
    },
    out: {
      kind: "string",
      value: "DIR",
      help: "The bundle; one of the same encoder gets one more head",
    },
    groupBy: {
      kind: "string",
      value: "COLUMN",
      help: "Rows that share its value are never split between training and testing",
    },
    folds: {
      kind: "integer",
      min: 2,
      help: "Measure by cross-validation, and train the head on all pictures",
    },
    test: { kind: "number", min: 0, default: 0.2, help: "Share measured on, without --folds" },
    members: {
      kind: "integer",
      min: 2,
      default: 4,
      help: "Heads that are trained, each stopped by another part of the pictures, and averaged",
    },
    seed: { kind: "integer", min: 0, default: 0, help: "Of splits and weights" },
    hidden: { kind: "integer", min: 1, default: 512, help: "Units of the hidden layer" },
    epochs: { kind: "integer", min: 1, help: "At most" },
    patience: { kind: "integer", min: 1, help: "Epochs without a better validation loss" },
    batch: { kind: "integer", min: 1, help: "Pictures in a step" },
    learningRate: { kind: "number", min: 0, help: "Of Adam" },
    weightDecay: { kind: "number", min: 0, help: "Decoupled, on kernels" },
    balance: { kind: "boolean", help: "Weigh labels so that each counts the same" },
    cache: { kind: "string", value: "DIR", default: ".cache/embeddings", help: "Of embeddings" },
    predictions: {
      kind: "string",
      value: "FILE",
      help: "Write each picture's scores, as JSON lines",
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
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** The options that must be given, with absolute paths. */
type Required = Record<"data" | "encoder" | "taxonomy" | "out", string>;

/** What a manifest takes as an id. */
const ID = /^[a-z0-9][a-z0-9._-]*$/;

/** Seeds of members and folds, its multiples, stay whole numbers. */
const MAX_SEED = 2 ** 31 - 1;

function checkOptions(options: Options): Required {
  const { data, encoder, taxonomy, out, name, test, seed, learningRate } = options;
  if (data === undefined) throw new UsageError("--data is needed");
  if (encoder === undefined) throw new UsageError("--encoder is needed");
  if (taxonomy === undefined) throw new UsageError("--taxonomy is needed");
  if (out === undefined) throw new UsageError("--out is needed");
  for (const [option, id] of Object.entries({ taxonomy, name })) {
    if (id === undefined || ID.test(id)) continue;
    throw new UsageError(`--${option} must be lower-case letters, digits, . _ -`);
  }
  if (test === 0 || test >= 1) throw new UsageError("--test must be between 0 and 1");
  if (seed > MAX_SEED) throw new UsageError(`--seed must be at most ${MAX_SEED}`);
  if (learningRate === 0) throw new UsageError("--learning-rate must be above 0");
  return { data: userDataset(data), encoder: userPath(encoder), taxonomy, out: userPath(out) };
}

/** The taxonomy of the project's own by that name, or one of the labels that the data has. */
function chooseTaxonomy(id: string, dataset: Dataset): Taxonomy<LabelName> {
  const known = findTaxonomy(id);
  const titled = (label: string) => ({
    id: label,
    title: label.charAt(0).toUpperCase() + label.slice(1),
  });
  if (!known) {
    const bad = dataset.labels.find((label) => !ID.test(label));
    if (bad !== undefined) {
      throw new TrainerError(
        `The label ${JSON.stringify(bad)} cannot be served: use lower-case letters, digits, . _ -`,
      );
    }
    return { id, title: titled(id).title, labels: dataset.labels.map(titled) };
  }
  const ids = known.labels.map((label) => label.id);
  const stray = dataset.labels.find((label) => !ids.includes(label));
  if (stray === undefined) return known;
  throw new TrainerError(
    `The data has the label ${JSON.stringify(stray)}, which ${id} does not: it has ${
      ids.join(", ")
    }. Rename the labels, or name a taxonomy of your own`,
  );
}

async function embed(
  dataset: Dataset,
  file: EncoderFile,
  folder: string,
  signal: AbortSignal,
): Promise<EmbeddedDataset> {
  const cache = await EmbeddingCache.open(folder, {
    encoder: file.sha256,
    preprocessing: file.preprocessing,
    size: file.goldenEmbedding.length,
  });
  const progress = startProgress("Embedding", dataset.examples.length);
  try {
    return await embedDataset(dataset.examples, file, cache, { onPicture: progress.step, signal });
  } finally {
    await progress.stop();
    cache.close();
  }
}

/** Adam's and early stopping's options that were given. */
function fitOptions(options: Options) {
  const { epochs, patience, batch, learningRate, weightDecay, balance } = options;
  return {
    ...(epochs !== undefined && { maxEpochs: epochs }),
    ...(patience !== undefined && { patience }),
    ...(batch !== undefined && { batchSize: batch }),
    ...(learningRate !== undefined && { learningRate }),
    ...(weightDecay !== undefined && { weightDecay }),
    ...(balance && { classWeights: "balanced" as const }),
  };
}

async function fit(
  data: EmbeddedDataset,
  taxonomy: Taxonomy<LabelName>,
  options: Options,
  signal: AbortSignal,
): Promise<TrainingOutcome> {
  const { folds, test, members, hidden, seed } = options;
  const progress = startProgress("Training", ((folds ?? 0) + 1) * members);
  try {
    return await trainHead(data, taxonomy.labels.map(({ id }) => id), {
      ...(folds === undefined ? { test } : { folds }),
      members,
      hidden,
      seed,
      fit: fitOptions(options),
      signal,
      onFit: progress.step,
      onEpoch: progress.note,
    });
  } finally {
    await progress.stop();
  }
}

/** What the options say of the bundle. */
async function readGiven(options: Options): Promise<Partial<BundleIdentity>> {
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

/** A bundle's name, from its folder's. */
function deriveName(out: string): string {
  const folder = basename(out);
  const name = folder.toLowerCase().replace(/[^a-z0-9._-]+/g, "-");
  if (ID.test(name)) return name;
  throw new UsageError(
    `The bundle cannot be called ${JSON.stringify(folder)}, as its folder is: give a --name`,
  );
}

/** The embedding space of an encoder: another preprocessing of the same encoder is another one. */
async function deriveSpace(file: EncoderFile): Promise<string> {
  const preprocessing = new TextEncoder().encode(JSON.stringify(file.preprocessing));
  return `onnx-${file.sha256.slice(0, 16)}-${(await sha256(preprocessing)).slice(0, 8)}`;
}

/** The whole run, from the command line's values to the report. */
async function run(options: Options, signal: AbortSignal): Promise<TrainingReport> {
  const required = checkOptions(options);
  const say = (words: string) => console.error(words);

  const existing = await readBundleFolder(required.out);
  const given = await readGiven(options);
  const name = existing?.manifest.name ?? given.name ?? deriveName(required.out);
  const predictions = options.predictions === undefined ? undefined : userPath(options.predictions);
  if (predictions !== undefined) await checkPredictionsFile(predictions);

  const { groupBy } = options;
  const dataset = await readDataset(required.data, groupBy === undefined ? {} : { groupBy });
  const taxonomy = chooseTaxonomy(required.taxonomy, dataset);
  if (!findTaxonomy(taxonomy.id)) {
    say(`Taxonomy ${taxonomy.id}, of the data's labels: ${dataset.labels.join(", ")}`);
  }
  const file = await openEncoderFile(required.encoder, {
    onPreprocessing: (from) => say(`Preprocessing: ${from}`),
  });
  const identity: BundleIdentity = {
    name,
    embeddingSpace: await deriveSpace(file),
    license: "Not stated.",
    encoderOrigin: `${basename(required.encoder)}, SHA-256 ${file.sha256}`,
    about: "",
    ...given,
  };
  const { embeddingSpace } = identity;
  if (existing) {
    checkAddition(existing.manifest, { given, embeddingSpace, encoder: file, taxonomy });
  }
  const draft = existing ?? await beginBundle(file, identity);

  const data = await embed(dataset, file, options.cache, signal);
  for (const { name, why } of data.unreadable) say(`Left out ${name}: ${why}`);
  if (data.examples.length === 0) throw new TrainerError("None of the pictures can be read");
  const outcome = await fit(data, taxonomy, options, signal);

  const groups = groupBy === undefined ? "" : `, grouped by ${groupBy}`;
  const source = `${basename(required.data)}, ${data.examples.length} pictures`;
  const head = `cross-entropy-${taxonomy.id}`;
  const headed = await withHead(
    draft,
    head,
    outcome.head,
    `trained on ${source} (digest ${data.digest}), seed ${options.seed}, ` +
      `${outcome.head.img_fc1.units} hidden units in ${options.members} averaged heads, ` +
      `best epochs ${outcome.bestEpochs.join(", ")}`,
  );
  const files = await finishBundle(withMethod(headed, taxonomy, {
    method: "cross-entropy",
    head,
    temperature: outcome.temperature,
    figures: { ...outcome.figures },
    measured: `${outcome.protocol}${groups}, on ${source}`,
  }));
  await writeBundleFolder(required.out, files);
  if (predictions !== undefined) await writePredictions(predictions, data, taxonomy, outcome);
  const manifest = files.get("manifest.json") ?? new Uint8Array();
  return {
    bundle: { folder: required.out, digest: `sha256:${await sha256(manifest)}` },
    data: { source, unreadable: data.unreadable, cached: data.cached, digest: data.digest },
    taxonomy: taxonomy.id,
    labels: taxonomy.labels.map(({ id }) => id),
    protocol: `${outcome.protocol}${groups}`,
    evaluation: outcome.evaluation,
    temperature: outcome.temperature,
    bestEpochs: outcome.bestEpochs,
  };
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    stop.abort(new TrainerError("Stopped. The embeddings so far are kept: run it again to go on"));
  });
  const report = await run(line.values, stop.signal);
  console.log(line.values.json ? JSON.stringify(report) : formatSummary(report));
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
