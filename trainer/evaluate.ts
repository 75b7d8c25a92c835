/**
 * `deno task evaluate`: a bundle and labelled pictures in, tables out: how well each of its methods does on each data set.
 * The straight line: data sets -> pictures -> embeddings (cached) -> scores by the bundle's methods -> tables and report.
 */

import { type Bundle, openBundle } from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { folderSource } from "./bundle/bundle_folder.ts";
import type { Dataset } from "./data/dataset.ts";
import { isKnownForm } from "./data/read_dataset.ts";
import { readMatching } from "./data/read_matching.ts";
import { openEmbedder } from "./embedding/embedder.ts";
import { TrainerError } from "./errors.ts";
import type { Experiment, TaskResult } from "./evaluation/experiment.ts";
import { measureTask } from "./evaluation/measure_task.ts";
import { summarizeData } from "./experiment/describe.ts";
import { loadData, type LoadedData, pictureReader } from "./experiment/load_data.ts";
import { withoutLookalikes } from "./experiment/measured_pictures.ts";
import { type BundledMethod, bundledMethods, scoreBundled } from "./experiment/bundled_methods.ts";
import { encoderOfBundle } from "./experiment/training_encoder.ts";
import { fail } from "./fail.ts";
import { formatExperiment } from "./report/summary.ts";
import { addThumbnails } from "./report/thumbnail.ts";
import { writeReport } from "./report/write_report.ts";
import { DATA_FLAGS, DATA_HELP, datasetOptions, EMBED_FLAGS } from "./train_options.ts";
import { cachePath, userDataset, userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task evaluate",
  description:
    "Measures every method of a bundle on labelled pictures: a table for each taxonomy, a column for each data set.",
  flags: {
    bundle: { kind: "string", value: "DIR", help: "Whose methods are measured" },
    data: { kind: "strings", value: "SOURCE", help: DATA_HELP },
    taxonomy: {
      kind: "strings",
      value: "ID",
      help:
        "Only these; and what the labels of data of your own are of (default: all that both know)",
    },
    trainedOn: {
      kind: "string",
      value: "SOURCE",
      help: "What the heads learnt from: pictures that look like its own do not measure",
    },
    report: { kind: "string", value: "DIR", help: "Write a report there" },
    ...DATA_FLAGS,
    ...EMBED_FLAGS,
    json: { kind: "boolean", help: "Print all figures as JSON" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** A data set's labels in the taxonomies of the bundle, measured. */
function measureData(
  { dataset, examples, embeddings, size }: LoadedData,
  methods: readonly BundledMethod[],
  ids: readonly string[],
): TaskResult[] {
  const wanted = [...dataset.taxonomies].filter(([id]) => ids.length === 0 || ids.includes(id));
  return wanted.flatMap(([taxonomy, labelOf]): TaskResult[] => {
    const own = methods.filter((method) => method.taxonomy.id === taxonomy);
    if (own.length === 0) return [];
    const labels = own[0].taxonomy.labels.map(({ id }) => id);
    const targetOf = (i: number) => labels.indexOf(labelOf.get(examples[i].label) ?? "");
    const indices = [...examples.keys()].filter((i) => targetOf(i) >= 0);
    if (indices.length === 0) return [];
    const protocol = `its ${
      indices.length.toLocaleString("en")
    } pictures with a label of ${taxonomy}`;
    return [measureTask({
      taxonomy,
      labels,
      dataset: dataset.name,
      protocol,
      names: indices.map((i) => examples[i].name),
      targets: Int32Array.from(indices, targetOf),
      rows: own.map((method) => ({
        row: method.method,
        scores: indices.map((i) =>
          scoreBundled(method, embeddings.subarray(i * size, (i + 1) * size))
        ),
      })),
      served: own[0].method,
    })];
  });
}

async function readData(
  specs: readonly string[],
  options: Options,
  methods: readonly BundledMethod[],
): Promise<Dataset[]> {
  const [taxonomy] = options.taxonomy;
  const taxonomies = methods.map(({ taxonomy }) => taxonomy);
  const datasets = [];
  for (const spec of specs.map(userDataset)) {
    const isOwn = !isKnownForm(spec) && taxonomy !== undefined;
    const reading = { ...datasetOptions(options), ...(isOwn && { taxonomy }) };
    datasets.push(await readMatching(spec, reading, taxonomies));
  }
  for (const note of datasets.flatMap(({ notes }) => notes)) console.error(note);
  return datasets;
}

/** The bundle's methods that can answer. */
function findMethods(bundle: Bundle): BundledMethod[] {
  for (const { part, detail } of bundle.faults) console.error(`Not in use: ${part}: ${detail}`);
  const methods = bundledMethods(bundle);
  if (methods.length > 0) return methods;
  throw new TrainerError(`None of the methods of ${bundle.manifest.name} can answer`);
}

async function run(options: Options, signal: AbortSignal): Promise<Experiment> {
  if (options.bundle === undefined) throw new UsageError("--bundle is needed");
  if (options.data.length === 0) throw new UsageError("--data is needed");
  const bundle = await openBundle(folderSource(userPath(options.bundle)));
  const methods = findMethods(bundle);
  const datasets = await readData(options.data, options, methods);
  const before = options.trainedOn === undefined ? [] : [options.trainedOn];
  const [trainedOn] = await readData(before, options, methods);
  const encoder = await encoderOfBundle(bundle);
  const embedder = await openEmbedder(encoder, cachePath(options.cache, "embeddings"), {
    backend: options.backend,
    ...(options.workers !== undefined && { workers: options.workers }),
  });
  const loaded: LoadedData[] = [];
  const notes: string[] = [];
  try {
    const learnt = trainedOn && await loadData(trainedOn, embedder, signal);
    const train = learnt?.dataset.examples.some(({ split }) => split !== undefined)
      ? [...learnt.examples.keys()].filter((i) => learnt.examples[i].split !== "test")
      : [...learnt?.examples.keys() ?? []];
    for (const dataset of datasets) {
      const data = await loadData(dataset, embedder, signal);
      const apart = learnt ? withoutLookalikes(data, learnt, train) : { data, notes: [] };
      loaded.push(apart.data);
      notes.push(...apart.notes);
    }
  } finally {
    embedder.close();
  }
  const tasks = loaded.flatMap((data) => measureData(data, methods, options.taxonomy));
  if (tasks.length === 0) {
    const known = [...new Set(methods.map(({ taxonomy }) => taxonomy.id))].join(", ");
    throw new TrainerError(
      `Nothing can be measured: the bundle answers for ${known}, and the data has no labels of these. ` +
        "Say with --taxonomy what its labels are",
    );
  }
  const { name } = bundle.manifest;
  const experiment: Experiment = {
    title: `${name}, evaluated`,
    facts: [
      { name: "Bundle", value: `${name}, ${bundle.digest}` },
      { name: "Encoder", value: `${encoder.name}, by ${embedder.backend}` },
    ],
    datasets: loaded.map(summarizeData),
    tasks,
    curves: [],
    notes,
  };
  if (options.report !== undefined) {
    await writeReport(
      userPath(options.report),
      await addThumbnails(experiment, pictureReader(loaded)),
    );
  }
  for (const { close } of [...datasets, ...(trainedOn ? [trainedOn] : [])]) await close?.();
  return experiment;
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    stop.abort(new TrainerError("Stopped. The embeddings so far are kept: run it again to go on"));
  });
  const experiment = await run(line.values, stop.signal);
  if (line.values.json) return console.log(JSON.stringify(experiment));
  console.log([formatExperiment(experiment), "", ...experiment.notes].join("\n").trimEnd());
  if (line.values.report !== undefined) console.log(`\nReport  ${line.values.report}/report.html`);
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
