/**
 * What one request costs by the number of labels, beside the ready-made alternative, in one run: `deno task bench:zero-shot`.
 * A request is a JPEG of one megapixel in, scores out. Read the ratios: they hold from one machine to the next.
 *
 * The model has CLIP's shape and random weights: it costs what the real one costs, and what it says means nothing. The two
 * do not compute the same picture: the library's resize is not antialiased. So whether they agree is asked of a picture
 * that needs no resizing.
 */

import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import sharp from "sharp";
import { readPicture } from "../golden_file.ts";
import type { Answerer, Contender, Score } from "./zero_shot/contender.ts";
import { LABEL_SETS, type LabelSet } from "./zero_shot/label_sets.ts";
import { startLibrary } from "./zero_shot/library_process.ts";
import { writeModelFolder } from "./zero_shot/model_folder.ts";
import { buildBundle, openOurs } from "./zero_shot/ours.ts";

const COMMAND = {
  name: "deno task bench:zero-shot",
  description: "Measures one zero-shot request beside @huggingface/transformers.",
  flags: {
    tokenizer: {
      kind: "string",
      value: "DIR",
      default: new URL("../../../shared/clip", import.meta.url).pathname,
      help: "A folder with CLIP's tokenizer.json and tokenizer_config.json",
    },
    precision: { kind: "string", value: "NAME", default: "int8", help: "int8 or fp32" },
    backend: { kind: "string", value: "NAME", default: "native", help: "native or wasm" },
    threads: { kind: "integer", min: 1, default: 1, help: "Of a native run, for all alike" },
    rounds: { kind: "integer", min: 1, default: 15, help: "Counted, after three to warm up" },
    json: { kind: "boolean", help: "Print the figures as JSON" },
  },
} as const;

const WARM_UP = 3;
/** Together, one megapixel. */
const [WIDTH, HEIGHT] = [1155, 866];
/** What the model takes: a picture of this side is not resized. */
const SIDE = 224;

/** What was measured of one label set. */
interface Row {
  readonly labels: number;
  /** How far the pipeline's first label is ahead of its second, of the picture that needs no resizing. */
  readonly lead: number;
  /** Medians, in milliseconds. */
  readonly ms: Each<number>;
  /** Of ours. */
  readonly parts: Readonly<Record<string, number>>;
  /** How the answers for the picture that needs no resizing compare with the pipeline's. */
  readonly agreement: Each<Agreement>;
  /** The first label for the large picture. */
  readonly winners: Each<string>;
}

/** Files. */
interface Pictures {
  /** A JPEG of one megapixel. */
  readonly large: string;
  /** Of the size that the model takes. */
  readonly small: string;
}

interface Agreement {
  readonly isSameWinner: boolean;
  /** Of all labels' scores. */
  readonly largestDifference: number;
}

const NAMES = ["pipeline", "cached", "ours"] as const;
type Name = typeof NAMES[number];
type Each<T> = Readonly<Record<Name, T>>;

/** One after another. */
async function each<T>(make: (name: Name) => T | Promise<T>): Promise<Each<T>> {
  return {
    pipeline: await make("pipeline"),
    cached: await make("cached"),
    ours: await make("ours"),
  };
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Measures all by turns, so that what else the machine does falls on all alike. */
async function measure(
  answerers: Each<Answerer>,
  picture: string,
  rounds: number,
): Promise<Pick<Row, "ms" | "parts">> {
  const times: Record<Name, number[]> = { pipeline: [], cached: [], ours: [] };
  const parts: Record<string, number[]> = {};
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const name of NAMES) {
      const answer = await answerers[name](picture);
      if (round < 0) continue;
      times[name].push(answer.ms);
      for (const [part, ms] of Object.entries(answer.parts ?? {})) (parts[part] ??= []).push(ms);
    }
  }
  return {
    ms: await each((name) => median(times[name])),
    parts: Object.fromEntries(Object.entries(parts).map(([part, ms]) => [part, median(ms)])),
  };
}

/** Scores in the taxonomy's order. */
function inOrder({ labels }: LabelSet, scores: readonly Score[]): number[] {
  const known = new Map(scores.map(({ label, score }) => [label, score]));
  return labels.map(({ id, prompt }) => known.get(id) ?? known.get(prompt) ?? NaN);
}

function leadOf(scores: readonly number[]): number {
  const [first, second] = scores.toSorted((a, b) => b - a);
  return first - second;
}

const winner = (scores: readonly number[]) => scores.indexOf(Math.max(...scores));

async function compare(
  contenders: Each<Contender>,
  taxonomy: LabelSet,
  pictures: Pictures,
  rounds: number,
): Promise<Row> {
  const answerers = await each((name) => contenders[name].prepare(taxonomy));
  const scoresOf = (picture: string) =>
    each(async (name) => inOrder(taxonomy, (await answerers[name](picture)).scores));
  const small = await scoresOf(pictures.small);
  const large = await scoresOf(pictures.large);
  return {
    labels: taxonomy.labels.length,
    lead: leadOf(small.pipeline),
    agreement: await each((name) => ({
      isSameWinner: winner(small[name]) === winner(small.pipeline),
      largestDifference: Math.max(...small[name].map((s, k) => Math.abs(s - small.pipeline[k]))),
    })),
    winners: await each((name) => taxonomy.labels[winner(large[name])].id),
    ...await measure(answerers, pictures.large, rounds),
  };
}

/** Prints a Markdown table. */
function print(
  rows: readonly Row[],
  columns: Readonly<Record<string, (row: Row) => string>>,
): void {
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(" | ")} |`);
  line(Object.keys(columns));
  line(Object.keys(columns).map(() => "---:"));
  for (const row of rows) line(Object.values(columns).map((cell) => cell(row)));
}

const ms = (name: Name) => ({ ms }: Row) => `${ms[name].toFixed(1)} ms`;
const ratio = (name: Name) => ({ ms }: Row) => `${(ms[name] / ms.ours).toFixed(2)}x`;
const agreement = (name: Name) => ({ agreement, winners }: Row) => {
  const { isSameWinner, largestDifference } = agreement[name];
  const same = (isSame: boolean) => isSame ? "same" : "other";
  return `${same(isSameWinner)}, ${largestDifference.toFixed(4)}; ${
    same(winners[name] === winners.pipeline)
  }`;
};

function report(rows: readonly Row[], about: string): void {
  console.log(`${about}\n`);
  print(rows, {
    labels: ({ labels }) => String(labels),
    pipeline: ms("pipeline"),
    "texts cached": ms("cached"),
    ours: ms("ours"),
    "pipeline / ours": ratio("pipeline"),
    "cached / ours": ratio("cached"),
    "ours: decode + preprocess + encode": ({ parts: { decode, preprocess, encode } }) =>
      [decode, preprocess, encode].map((part) => part.toFixed(1)).join(" + "),
  });
  console.log(
    "\nBeside the pipeline: the winner and the largest difference of a score for a picture of the model's own size, and\n" +
      "the winner for the large one, which the library resizes otherwise.\n",
  );
  print(rows, {
    labels: ({ labels }) => String(labels),
    "the winner's lead": ({ lead }) => lead.toFixed(4),
    "texts cached": agreement("cached"),
    ours: agreement("ours"),
  });
}

async function drawPictures(folder: string): Promise<Pictures> {
  const pictures = { large: `${folder}/large.jpg`, small: `${folder}/small.png` };
  const drawing = sharp(await readPicture("sunset.jpg"));
  await drawing.clone().resize(WIDTH, HEIGHT).jpeg({ quality: 90 }).toFile(pictures.large);
  await drawing.clone().resize(SIDE, SIDE).png().toFile(pictures.small);
  return pictures;
}

function oneOf<Name extends string>(flag: string, names: readonly Name[], given: string): Name {
  const known = names.find((name) => name === given);
  if (known) return known;
  throw new UsageError(`${flag} must be ${names.join(" or ")}, got ${given}`);
}

async function run(options: FlagValues<typeof COMMAND.flags>, folder: string): Promise<void> {
  const { tokenizer, threads, rounds } = options;
  const backend = oneOf("--backend", ["native", "wasm"] as const, options.backend);
  const precision = oneOf("--precision", ["int8", "fp32"] as const, options.precision);
  const setup = { folder, precision, backend, threads: backend === "wasm" ? 1 : threads };
  const progress = (what: string) => console.error(`${what} ...`);
  progress("Writing the model");
  await writeModelFolder(`${folder}/clip`, precision, tokenizer);
  progress("Building the bundle");
  await buildBundle(`${folder}/bundle`, `${folder}/clip`);
  progress("Opening all");
  const pictures = await drawPictures(folder);
  await using library = await startLibrary(setup);
  const contenders = { ...library.contenders, ours: await openOurs(setup) };
  const rows: Row[] = [];
  for (const set of LABEL_SETS) {
    progress(`Measuring ${set.labels.length} labels`);
    rows.push(await compare(contenders, set, pictures, rounds));
  }
  const { size } = await Deno.stat(pictures.large);
  const about =
    `ViT-B/32, ${precision}, ${backend}, threads: ${setup.threads}; a JPEG of ${WIDTH} x ${HEIGHT}, ` +
    `${Math.round(size / 1000)} kB; medians of ${rounds}`;
  if (options.json) {
    console.log(JSON.stringify({ about, ...setup, folder: undefined, rounds, rows }));
  } else report(rows, about);
}

const line = readCommandLine(COMMAND, Deno.args);
if ("help" in line) console.log(line.help);
else if (!await Deno.stat(`${line.values.tokenizer}/tokenizer.json`).catch(() => undefined)) {
  console.log(
    `Skipped: there is no CLIP tokenizer in ${line.values.tokenizer}. Name a folder with tokenizer.json and ` +
      "tokenizer_config.json with --tokenizer; that of openai/clip-vit-base-patch32 will do",
  );
} else {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_zero_shot_" });
  try {
    await run(line.values, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  // Runtimes keep threads.
  Deno.exit(0);
}
