/**
 * `deno task train`: labelled pictures in, a bundle and a report out. The straight line of training, in one place:
 * data set -> pictures -> embeddings (cached) -> heads -> evaluation -> bundle and report.
 */

import { findTaxonomy, sha256 } from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { basename, join } from "node:path";
import { finishBundle } from "./bundle/bundle_draft.ts";
import { writeBundleFolder } from "./bundle/bundle_folder.ts";
import type { Dataset, Example } from "./data/dataset.ts";
import { isKnownForm, readDataset } from "./data/read_dataset.ts";
import { readMatching } from "./data/read_matching.ts";
import { openEmbedder } from "./embedding/embedder.ts";
import { TrainerError } from "./errors.ts";
import { describeExperiment } from "./experiment/describe.ts";
import { measuredPictures } from "./experiment/measured_pictures.ts";
import { estimateEpoch, measureSpeed } from "./experiment/estimate_training.ts";
import { fitHeads, workName } from "./experiment/fit_heads.ts";
import { loadData, type LoadedData, pictureReader } from "./experiment/load_data.ts";
import { openDraft } from "./experiment/open_bundle_draft.ts";
import { estimateEmbedding, formatPlan } from "./experiment/plan_words.ts";
import { chooseProtocol } from "./experiment/protocol.ts";
import { chooseRecipe, type Recipe } from "./experiment/recipe.ts";
import { listRows } from "./experiment/rows.ts";
import { chooseServed, withServed } from "./experiment/serve_best.ts";
import { findTasks, type Task } from "./experiment/tasks.ts";
import { fail } from "./fail.ts";
import { openDevice } from "./fit/device.ts";
import { checkPredictionsFile, writePredictions } from "./experiment/predictions.ts";
import { Random } from "./random.ts";
import { formatSummary, type TrainingReport } from "./report/summary.ts";
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

/** What a run is about, before any picture is opened. */
async function prepare(options: TrainOptions) {
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
  const recipe = chooseRecipe(dataset.examples, {
    recipe: request.recipe,
    members: options.members,
  });
  return {
    options,
    request,
    predictions,
    dataset,
    elsewhere,
    target,
    tasks,
    rows: listRows(tasks, target.encoder.size, !options.plain),
    recipe,
    cache: cachePath(options.cache, "embeddings"),
    device: await openDevice(request.device),
    seeds: Array.from({ length: options.seeds }, (_, s) => options.seed + s),
  };
}

type Setup = Awaited<ReturnType<typeof prepare>>;

/** Who learns and who measures; the same examples and the same generator give the same. */
function protocolOf({ options, recipe }: Setup, examples: readonly Example[], random: Random) {
  const { folds, test } = options;
  return chooseProtocol(examples, { folds, test, validation: recipe.validation }, random);
}

/** Says what is about to be done, and embeds all pictures; nothing where only the plan was asked for. */
async function embed(setup: Setup, signal: AbortSignal) {
  const { options, request, dataset, elsewhere, target, rows, recipe, device, seeds } = setup;
  const planned = protocolOf(setup, dataset.examples, new Random(options.seed));
  const embedder = await openEmbedder(target.encoder, setup.cache, {
    backend: options.backend,
    ...(options.workers !== undefined && { workers: options.workers }),
  });
  try {
    const { name, precision } = target.encoder;
    const { backend, workers } = embedder;
    say(formatPlan({
      data: [dataset, ...elsewhere].map(({ description }) => description),
      encoder: `${name}, ${precision}, ${backend} on ${workers} workers`,
      embedding: await estimateEmbedding([dataset, ...elsewhere], embedder, signal),
      rows,
      protocol: planned,
      seeds: seeds.length,
      members: recipe.members,
      training: `recipe ${recipe.preset}, on ${device.description}`,
      epochSeconds: estimateEpoch(
        rows,
        planned,
        { size: target.encoder.size, hidden: options.hidden },
        recipe.members,
        seeds.length,
        await measureSpeed(device),
      ),
      out: request.out,
      report: request.report,
    }));
    if (options.plan) return undefined;
    const data = await loadData(dataset, embedder, signal);
    const others: LoadedData[] = [];
    for (const other of elsewhere) others.push(await loadData(other, embedder, signal));
    return { data, others, backend };
  } finally {
    embedder.close();
  }
}

type Pictures = NonNullable<Awaited<ReturnType<typeof embed>>>;

/** Fits every method's heads, and measures all of them. */
async function compare(setup: Setup, { data, others }: Pictures, signal: AbortSignal) {
  const { options, target, rows, recipe, device, seeds, cache } = setup;
  const random = new Random(options.seed);
  const chosen = protocolOf(setup, data.examples, random);
  const measured = measuredPictures(data, others, chosen, options);
  const outcome = await fitHeads(data, rows, measured.protocol, {
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
  return { outcome, measured };
}

type Compared = Awaited<ReturnType<typeof compare>>;

/** Writes the bundle, the report and the predictions. */
async function publish(
  { options, request, predictions, target, tasks, recipe, device, seeds }: Setup,
  { data, others, backend }: Pictures,
  { outcome, measured }: Compared,
): Promise<TrainingReport> {
  const { groupedBy } = data.dataset;
  const groups = groupedBy === undefined ? "" : `, grouped by ${groupedBy}`;
  const protocol = { ...measured.protocol, words: `${measured.protocol.words}${groups}` };
  const source = `${basename(request.data)}, ${data.examples.length} pictures`;
  const { encoder, draft } = target;
  const experiment = describeExperiment(outcome, {
    title: `${draft.manifest.name}, trained on ${data.dataset.name}`,
    facts: [
      { name: "Encoder", value: `${encoder.name}, SHA-256 ${encoder.sha256}` },
      { name: "Embedding", value: `${data.size} numbers, by ${backend}` },
      { name: "Recipe", value: recipeWords(recipe) },
      { name: seeds.length > 1 ? "Seeds" : "Seed", value: seeds.join(", ") },
      { name: "Measured by", value: protocol.words },
      { name: "Trained on", value: device.description },
    ],
    data,
    protocol,
    others: measured.others,
    notes: measured.notes,
  });
  const served = tasks.map((task) => ({ task, methods: chooseServed(outcome.rows, task) }));
  let next = draft;
  for (const { task, methods } of served) {
    next = await withServed(next, task, methods, {
      trainedOn: `trained on ${source} (digest ${data.digest}), seed ${options.seed}, ` +
        `recipe ${recipe.preset}`,
      measuredOn: `${protocol.words}, on ${source}`,
    });
  }
  const files = await finishBundle(next);
  await writeBundleFolder(request.out, files);
  const illustrated = await addThumbnails(experiment, pictureReader([data, ...others]));
  await writeReport(request.report, illustrated);
  if (predictions !== undefined) {
    await writePredictions(predictions, data, served.map(({ methods: [{ outcome }] }) => outcome));
  }
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

/** The whole run, from the command line's values to the report; nothing where only the plan was asked for. */
async function run(
  options: TrainOptions,
  signal: AbortSignal,
): Promise<TrainingReport | undefined> {
  const setup = await prepare(options);
  const pictures = await embed(setup, signal);
  if (!pictures) return undefined;
  const compared = await compare(setup, pictures, signal);
  const report = await publish(setup, pictures, compared);
  for (const { close } of [setup.dataset, ...setup.elsewhere]) await close?.();
  return report;
}

function recipeWords({ preset, members }: Recipe): string {
  return members > 1 ? `${preset}, ${members} heads averaged` : preset;
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
