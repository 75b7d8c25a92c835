/**
 * `deno task train`: labelled pictures in, a bundle and a report out. The straight line of training, in one place:
 * data set -> pictures -> embeddings (cached) -> heads -> evaluation -> bundle and report.
 */

import { findTaxonomy, sha256 } from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { basename, join } from "node:path";
import { type BundleDraft, finishBundle } from "./bundle_draft.ts";
import { writeBundleFolder } from "./bundle_folder.ts";
import type { Dataset } from "./data/dataset.ts";
import { isKnownForm, readDataset } from "./data/read_dataset.ts";
import { readMatching } from "./data/read_matching.ts";
import { openEmbedder } from "./embedding/embedder.ts";
import { TrainerError } from "./errors.ts";
import { describeExperiment } from "./experiment/describe.ts";
import { measuredPictures } from "./experiment/measured_pictures.ts";
import { fitHeads, workName } from "./experiment/fit_heads.ts";
import { loadData, type LoadedData, pictureReader } from "./experiment/load_data.ts";
import { openDraft } from "./experiment/open_bundle_draft.ts";
import { estimateEmbedding, formatPlan } from "./experiment/plan_words.ts";
import { chooseProtocol } from "./experiment/protocol.ts";
import { chooseRecipe } from "./experiment/recipe.ts";
import { listRows } from "./experiment/rows.ts";
import { chooseServed, withServed } from "./experiment/serve_best.ts";
import { findTasks, type Task } from "./experiment/tasks.ts";
import { fail } from "./fail.ts";
import { openDevice } from "./fit/device.ts";
import { checkPredictionsFile, writePredictions } from "./predictions.ts";
import { Random } from "./random.ts";
import { formatSummary, type TrainingReport } from "./report.ts";
import { addThumbnails } from "./report/thumbnail.ts";
import { writeReport } from "./report/write_report.ts";
import {
  checkTrainOptions,
  datasetOptions,
  fitOptions,
  readGiven,
  TRAIN_FLAGS,
  type TrainOptions,
} from "./train_options.ts";
import { cachePath, userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task train",
  description:
    "Trains heads on labelled pictures, compares them with one another and with zero-shot, and writes a bundle of the\n" +
    "best and a report. Embeddings and training are kept, so that a run that was cut off goes on where it was. The same\n" +
    "seed on the same machine gives the same bytes.",
  flags: TRAIN_FLAGS,
} as const;

const say = (words: string) => console.error(words);

/** Data sets that are only measured on, each with labels of some task. */
async function readElsewhere(specs: readonly string[], tasks: readonly Task[]): Promise<Dataset[]> {
  const taxonomies = tasks.map(({ taxonomy }) => taxonomy);
  return await Promise.all(specs.map(async (spec) => {
    const dataset = await readMatching(spec, {}, taxonomies);
    if (taxonomies.some(({ id }) => dataset.taxonomies.has(id))) return dataset;
    throw new TrainerError(
      `Cannot measure on ${spec}: its labels (${dataset.labels.join(", ")}) are of none of the ` +
        `taxonomies that are trained: ${taxonomies.map(({ id }) => id).join(", ")}`,
    );
  }));
}

/** The whole run, from the command line's values to the report; nothing where only the plan was asked for. */
async function run(
  options: TrainOptions,
  signal: AbortSignal,
): Promise<TrainingReport | undefined> {
  const request = checkTrainOptions(options);
  const given = await readGiven(options);
  const predictions = options.predictions === undefined ? undefined : userPath(options.predictions);
  if (predictions !== undefined) await checkPredictionsFile(predictions);

  const isKnown = isKnownForm(request.data);
  const [own] = request.taxonomies;
  const dataset = await readDataset(request.data, {
    ...datasetOptions(options),
    ...(!isKnown && own !== undefined && { taxonomy: own }),
  });

  const target = await openDraft({
    ...request,
    given,
    onPreprocessing: (from) => say(`Preprocessing: ${from}`),
  });
  const tasks = findTasks(dataset, request.taxonomies, target.zeroShot, !isKnown);
  for (const { taxonomy } of tasks) {
    target.checkTaxonomy(taxonomy);
    if (findTaxonomy(taxonomy.id)) continue;
    say(`Taxonomy ${taxonomy.id}, of the data's labels: ${dataset.labels.join(", ")}`);
  }
  const elsewhere = await readElsewhere(request.testOn, tasks);
  for (const note of [dataset, ...elsewhere].flatMap(({ notes }) => notes)) say(note);
  const rows = listRows(tasks, target.encoder.size, !options.plain);
  const recipe = chooseRecipe(dataset.examples, {
    recipe: request.recipe,
    members: options.members,
  });
  const measuring = { folds: options.folds, test: options.test, validation: recipe.validation };
  const planned = chooseProtocol(dataset.examples, measuring, new Random(options.seed));
  const device = await openDevice(request.device);

  const cache = cachePath(options.cache, "embeddings");
  const embedder = await openEmbedder(target.encoder, cache, {
    backend: options.backend,
    ...(options.workers !== undefined && { workers: options.workers }),
  });
  let data: LoadedData;
  const others: LoadedData[] = [];
  try {
    const { name, precision } = target.encoder;
    say(formatPlan({
      data: [dataset, ...elsewhere].map(({ description }) => description),
      encoder: `${name}, ${precision}, ${embedder.backend} on ${embedder.workers} workers`,
      embedding: await estimateEmbedding([dataset, ...elsewhere], embedder, signal),
      rows,
      protocol: planned,
      seeds: options.seeds,
      members: recipe.members,
      training: `recipe ${recipe.preset}, on ${device.description}`,
      out: request.out,
      report: request.report,
    }));
    if (options.plan) return undefined;
    data = await loadData(dataset, embedder, signal);
    for (const other of elsewhere) others.push(await loadData(other, embedder, signal));
  } finally {
    embedder.close();
  }

  const seeds = Array.from({ length: options.seeds }, (_, s) => options.seed + s);
  const random = new Random(options.seed);
  const measured = measuredPictures(
    data,
    others,
    chooseProtocol(data.examples, measuring, random),
    options,
  );
  const { protocol } = measured;
  const outcome = await fitHeads(data, rows, protocol, {
    seeds,
    random,
    others: measured.others.map((other) => ({
      name: other.dataset.name,
      data: other,
      tasks: findTasks(other.dataset, [], new Map()),
    })),
    recipe,
    hidden: options.hidden,
    balance: options.balance,
    smoothing: options.labelSmoothing ?? 0,
    fit: fitOptions(options),
    device,
    work: join(cache, "checkpoints", await workName([options, data.digest, target.encoder.sha256])),
    signal,
  });

  const groups = options.groupBy === undefined ? "" : `, grouped by ${options.groupBy}`;
  const source = `${basename(request.data)}, ${data.examples.length} pictures`;
  const experiment = describeExperiment(outcome, {
    title: `${target.draft.manifest.name}, trained on ${dataset.name}`,
    facts: [
      { name: "Encoder", value: `${target.encoder.name}, SHA-256 ${target.encoder.sha256}` },
      { name: "Embedding", value: `${data.size} numbers, by ${embedder.backend}` },
      { name: "Recipe", value: `${recipe.preset}, ${recipe.members} heads averaged` },
      { name: options.seeds > 1 ? "Seeds" : "Seed", value: seeds.join(", ") },
      { name: "Measured by", value: `${protocol.words}${groups}` },
      { name: "Trained on", value: device.description },
    ],
    data,
    protocol: { ...protocol, words: `${protocol.words}${groups}` },
    others: measured.others,
    notes: measured.notes,
  });

  const origin = {
    trainedOn: `trained on ${source} (digest ${data.digest}), seed ${options.seed}, ` +
      `recipe ${recipe.preset}`,
    measuredOn: `${protocol.words}${groups}, on ${source}`,
  };
  let draft: BundleDraft = target.draft;
  const served = tasks.map((task) => ({ task, methods: chooseServed(outcome.rows, task) }));
  for (const { task, methods } of served) draft = await withServed(draft, task, methods, origin);
  const files = await finishBundle(draft);
  await writeBundleFolder(request.out, files);
  await writeReport(
    request.report,
    await addThumbnails(experiment, pictureReader([data, ...others])),
  );
  if (predictions !== undefined) {
    await writePredictions(predictions, data, served.map(({ methods: [{ outcome }] }) => outcome));
  }
  for (const { close } of [dataset, ...elsewhere]) await close?.();
  const manifest = files.get("manifest.json") ?? new Uint8Array();
  return {
    bundle: { folder: request.out, digest: `sha256:${await sha256(manifest)}` },
    report: request.report,
    data: { source, unreadable: data.unreadable, cached: data.cached, digest: data.digest },
    served: served.map(({ task, methods }) => ({
      taxonomy: task.taxonomy.id,
      methods: methods.map(({ outcome: { row, served: { scoring, bestEpochs } } }) => ({
        method: row.method,
        row: row.name,
        temperature: scoring.temperature,
        bestEpochs,
      })),
    })),
    experiment,
  };
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    stop.abort(new TrainerError("Stopped. What is done is kept: run it again to go on"));
  });
  const report = await run(line.values, stop.signal);
  if (report) console.log(line.values.json ? JSON.stringify(report) : formatSummary(report));
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
