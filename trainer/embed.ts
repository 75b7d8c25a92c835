/**
 * `deno task embed`: pictures in, embeddings kept. What `train` would do before it trains, for data sets that take hours of
 * it: on all cores, on several machines (`--shard`), to go on after whatever cut it off. `docs/batch.md` shows how.
 */

import { openBundle } from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { folderSource } from "./bundle/bundle_folder.ts";
import type { Dataset } from "./data/dataset.ts";
import { DATASET_FORMS, readDataset } from "./data/read_dataset.ts";
import {
  BACKEND_CHOICES,
  type Embedder,
  type EmbedRun,
  type EncoderSpec,
  mergeStores,
  openEmbedder,
  type Readable,
  readEncoder,
} from "./embedding/mod.ts";
import { TrainerError } from "./errors.ts";
import { encoderOfBundle } from "./experiment/training_encoder.ts";
import { fail } from "./fail.ts";
import { startProgress } from "./progress.ts";
import { userDataset, userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task embed",
  positionals: "[MORE_DIRS_TO_MERGE...]",
  description:
    "Embeds the pictures of a data set and keeps the embeddings, for `deno task train` to find. One that was cut off goes\n" +
    "on where it was. Several may work at a time, also on several machines, on shares of a data set and in one cache.\n" +
    "With --merge, copies what other caches hold into one.",
  flags: {
    data: {
      kind: "string",
      value: "SOURCE",
      help: `A form and a path, as train takes it: ${DATASET_FORMS.map((f) => `${f}:`).join(" ")}`,
    },
    layout: { kind: "string", value: "FILE", help: "JSON: how the data set is laid out here" },
    agree: { kind: "integer", min: 3, max: 5, help: "Of twitter1: how many of five people agreed" },
    encoder: {
      kind: "string",
      value: "FILE",
      help: "ONNX, with its preprocessor_config.json beside it; or instead",
    },
    bundle: { kind: "string", value: "DIR", help: "a bundle: the encoder that train would take" },
    cache: { kind: "string", value: "DIR", default: ".cache/embeddings", help: "Of embeddings" },
    shard: {
      kind: "string",
      value: "I/N",
      help: "Every N-th picture from the I-th on: with each I from 1 to N, all of them",
    },
    backend: {
      kind: "string",
      value: "NAME",
      default: "auto",
      help: `What runs the encoder: ${BACKEND_CHOICES.join(", ")}`,
    },
    workers: {
      kind: "integer",
      min: 1,
      help: "Pictures at a time (default: one to each core, as far as memory goes)",
    },
    unreadable: {
      kind: "string",
      value: "FILE",
      help: "Write the pictures that cannot be embedded, as JSON lines",
    },
    merge: { kind: "strings", value: "DIR", help: "Copy this cache's embeddings into --cache" },
    json: { kind: "boolean", help: "Print the summary as JSON" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** Unreadable pictures that are named on the screen. */
const NAMED = 10;

/** A share of a data set. */
interface Shard {
  /** From 1. */
  readonly number: number;
  /** How many there are. */
  readonly of: number;
}

function readShard(text: string): Shard {
  const [, number, of] = (/^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? []).map(Number);
  if (number >= 1 && number <= of) return { number, of };
  throw new UsageError(
    `--shard must be I/N with I from 1 to N, such as 3/8, got ${JSON.stringify(text)}`,
  );
}

/** What the command did, as `--json` prints it. */
interface Summary {
  /** Of the data set, or of its share. */
  readonly pictures: number;
  /** I/N. */
  readonly shard?: string;
  /** In this run. */
  readonly embedded: number;
  /** Before this run, or twice in the data set. */
  readonly cached: number;
  readonly unreadable: EmbedRun["unreadable"];
  /** What runs the encoder. */
  readonly backend: string;
  /** The store's folder. */
  readonly store: string;
  /** Of the store's records, left out as damaged. */
  readonly damaged: number;
  readonly seconds: number;
}

async function embed(options: Options, signal: AbortSignal): Promise<void> {
  const { data, backend, workers } = options;
  if (data === undefined) throw new UsageError("--data is needed");
  checkEncoder(options);
  if (!BACKEND_CHOICES.includes(backend)) {
    throw new UsageError(
      `--backend must be ${BACKEND_CHOICES.join(", ")}, got ${JSON.stringify(backend)}`,
    );
  }
  const shard = options.shard === undefined ? undefined : readShard(options.shard);
  const cache = userPath(options.cache);

  const dataset = await openDataset(data, options);
  const examples = takeShard(dataset.examples, shard);
  const embedder = await openEmbedder(await openSpec(options), cache, {
    backend,
    ...(workers !== undefined && { workers }),
    ...(shard && { label: `${shard.number}-of-${shard.of}` }),
  });
  try {
    const start = performance.now();
    const run = await fill(embedder, examples, signal);
    const { unreadable, cached } = run;
    if (options.unreadable !== undefined) {
      await writeUnreadable(userPath(options.unreadable), unreadable);
    }
    report({
      pictures: examples.length,
      ...(shard && { shard: `${shard.number}/${shard.of}` }),
      embedded: examples.length - cached - unreadable.length,
      cached,
      unreadable,
      backend: embedder.backend,
      store: embedder.store.folder,
      damaged: embedder.store.damaged,
      seconds: (performance.now() - start) / 1000,
    }, options);
  } finally {
    embedder.close();
    await dataset.close?.();
  }
}

function checkEncoder({ encoder, bundle }: Options): void {
  if (encoder === undefined && bundle === undefined) {
    throw new UsageError("--encoder or --bundle is needed");
  }
  if (encoder !== undefined && bundle !== undefined) {
    throw new UsageError("--encoder and --bundle do not go together: a bundle has an encoder");
  }
}

async function openSpec({ encoder, bundle }: Options): Promise<EncoderSpec> {
  if (bundle !== undefined) {
    const location = userPath(bundle);
    return await encoderOfBundle(await openBundle({ ...folderSource(location), location }));
  }
  const spec = await readEncoder(userPath(encoder ?? ""));
  console.error(`Preprocessing: ${spec.preprocessingFrom}`);
  return spec;
}

function openDataset(data: string, { layout, agree }: Options): Promise<Dataset> {
  return readDataset(userDataset(data), {
    ...(layout !== undefined && { layout: userPath(layout) }),
    ...(agree !== undefined && { agree }),
  });
}

function takeShard(examples: readonly Readable[], shard: Shard | undefined): readonly Readable[] {
  if (!shard) return examples;
  return examples.filter((_, i) => i % shard.of === shard.number - 1);
}

async function fill(
  embedder: Embedder,
  examples: readonly Readable[],
  signal: AbortSignal,
): Promise<EmbedRun> {
  const progress = startProgress("Embedding", examples.length);
  try {
    return await embedder.fill(examples, {
      signal,
      onProgress: ({ done, cached, unreadable, rate }) => {
        progress.set(done, cached);
        progress.note(
          `${rate.toFixed(1)} pictures/s, ${cached} known` +
            (unreadable > 0 ? `, ${unreadable} unreadable` : ""),
        );
      },
    });
  } finally {
    await progress.stop();
  }
}

async function writeUnreadable(file: string, unreadable: EmbedRun["unreadable"]): Promise<void> {
  const lines = unreadable.map((picture) => JSON.stringify(picture) + "\n");
  await Deno.writeTextFile(file, lines.join("")).catch((cause) => {
    throw new TrainerError(`Cannot write ${file}: ${cause.message}`, { cause });
  });
}

function report(summary: Summary, options: Options): void {
  const { pictures, shard, embedded, cached, unreadable, backend, store, damaged } = summary;
  for (const { name, why } of unreadable.slice(0, NAMED)) console.error(`Left out ${name}: ${why}`);
  if (unreadable.length > NAMED) {
    const where = options.unreadable ?? "--unreadable FILE or --json";
    console.error(`Left out ${unreadable.length - NAMED} more: see ${where}`);
  }
  if (damaged > 0) {
    console.error(`${damaged} damaged records in ${store} were left out, and embedded anew if met`);
  }
  if (options.json) return console.log(JSON.stringify(summary));
  const share = shard === undefined ? "" : ` of share ${shard}`;
  console.log(
    `${pictures} pictures${share}: ${embedded} embedded (${backend}), ${cached} known before, ` +
      `${unreadable.length} unreadable. Kept in ${store}`,
  );
}

async function merge(
  sources: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  for (const option of ["data", "encoder", "bundle", "shard", "unreadable"] as const) {
    if (options[option] !== undefined) throw new UsageError(`--merge does not go with --${option}`);
  }
  const cache = userPath(options.cache);
  const report = await mergeStores(sources.map(userPath), cache, signal);
  if (options.json) return console.log(JSON.stringify(report));
  const damaged = report.damaged > 0 ? `, ${report.damaged} damaged records left out` : "";
  console.log(
    `${report.added} pictures copied into ${cache}, ${report.known} known before${damaged}`,
  );
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const { values, positionals } = line;
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort(new TrainerError("Stopped. The embeddings so far are kept: run it again to go on"));
  });
  if (values.merge.length > 0) {
    return await merge([...values.merge, ...positionals], values, stop.signal);
  }
  if (positionals.length > 0) {
    throw new UsageError(`There is no place for ${JSON.stringify(positionals[0])}`);
  }
  await embed(values, stop.signal);
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
