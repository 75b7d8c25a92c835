/**
 * What encoders know of affect: linear probes of the valence and arousal of the OASIS photographs, on themes that the probe has
 * not seen, and encoders side by side.
 *
 * deno task bench:oasis-encoders --oasis DIR --encoder NAME=FILE …
 */

import { openEncoder } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { preprocess } from "@clip-e/shared";
import { readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { parse } from "csv-parse/sync";
import { dirname } from "node:path";
import { decodeFile } from "../../trainer/embedding/decode_file.ts";
import { readPreprocessing } from "../../trainer/encoder/encoder_file.ts";
import { quantile } from "../../trainer/evaluation/bootstrap.ts";
import { rocAuc } from "../../trainer/evaluation/evaluate.ts";
import { Random } from "../../trainer/random.ts";
import { fail } from "../../trainer/fail.ts";
import { probe } from "./linear_probe.ts";

const COMMAND = {
  name: "deno task bench:oasis-encoders",
  description: "Measures by linear probes what image encoders know of the OASIS ratings.",
  flags: {
    oasis: { kind: "string", value: "DIR", help: "With ratings.csv and images/" },
    encoder: {
      kind: "strings",
      value: "NAME=FILE",
      help: "ONNX, with its preprocessor_config.json beside it; may be given several times",
    },
    splits: {
      kind: "integer",
      min: 1,
      default: 5,
      help: "Into five parts by theme; figures are means",
    },
    json: { kind: "boolean", help: "Print the figures as JSON" },
  },
} as const;

const FOLDS = 5;
/** Ratings of valence above this are positive; those further than `CLEAR` from it are clear. */
const [NEUTRAL, CLEAR] = [4, 0.5];
const RESAMPLES = 2000;
const MAX_PIXELS = 200_000_000;

interface Photograph {
  readonly path: string;
  readonly theme: string;
  readonly valence: number;
  readonly arousal: number;
}

async function readPhotographs(oasis: string): Promise<Photograph[]> {
  const rows: Record<string, string>[] = parse(await Deno.readTextFile(`${oasis}/ratings.csv`), {
    columns: true,
  });
  return rows.map(({ file, theme, valence_mean, arousal_mean }) => ({
    path: `${oasis}/images/${file}`,
    theme,
    valence: Number(valence_mean),
    arousal: Number(arousal_mean),
  }));
}

/** Inner products of all pairs of embeddings, `[N, N]`. */
async function gramOf(file: string, photographs: readonly Photograph[]): Promise<Float64Array> {
  const { preprocessing } = await readPreprocessing(dirname(file));
  const backend = openNativeBackend({ threads: 1 });
  const encoder = await openEncoder(await Deno.readFile(file), preprocessing.crop, { backend });
  const rows: Float32Array[] = [];
  for (const { path } of photographs) {
    const picture = await decodeFile(await Deno.readFile(path), MAX_PIXELS);
    rows.push(await encoder.encode(preprocess(picture, preprocessing)));
  }
  await encoder.close();
  const n = rows.length;
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      gram[i * n + j] = gram[j * n + i] = rows[i].reduce((sum, x, d) => sum + x * rows[j][d], 0);
    }
  }
  return gram;
}

/** Reads every photograph by a line that has seen no other of its theme. */
function readAll(
  gram: Float64Array,
  targets: Float64Array,
  themes: readonly string[],
  seed: number,
): Float64Array {
  const order = new Random(seed).shuffled(new Set(themes));
  const folds = new Map(order.map((theme, place) => [theme, place % FOLDS]));
  const foldOf = themes.map((theme) => folds.get(theme));
  const read = new Float64Array(themes.length);
  for (let fold = 0; fold < FOLDS; fold++) {
    const training = [...themes.keys()].filter((i) => foldOf[i] !== fold);
    probe(gram, targets, training).forEach((value, i) => {
      if (foldOf[i] === fold) read[i] = value;
    });
  }
  return read;
}

function correlation(a: Float64Array, b: Float64Array): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((x, i) => {
    ab += (x - meanA) * (b[i] - meanB);
    aa += (x - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  });
  return ab / Math.sqrt(aa * bb);
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => a + b, 0) / values.length;
}

/** The area under the ROC curve of pictures drawn anew, with replacement: its 95 % interval. */
function intervalOf(scores: readonly number[], targets: Int32Array): [number, number] {
  const random = new Random(0);
  const drawn = Float64Array.from({ length: RESAMPLES }, () => {
    const some = scores.map(() => Math.floor(random.next() * scores.length));
    return rocAuc(some.map((i) => scores[i]), Int32Array.from(some, (i) => targets[i]));
  }).sort();
  return [quantile(drawn, 0.025), quantile(drawn, 0.975)];
}

async function measure(file: string, photographs: readonly Photograph[], splits: number) {
  const gram = await gramOf(file, photographs);
  const themes = photographs.map(({ theme }) => theme);
  const valence = Float64Array.from(photographs, ({ valence }) => valence);
  const arousal = Float64Array.from(photographs, ({ arousal }) => arousal);
  const seeds = Array.from({ length: splits }, (_, seed) => seed);
  const readings = seeds.map((seed) => readAll(gram, valence, themes, seed));
  const clear = [...themes.keys()].filter((i) => Math.abs(valence[i] - NEUTRAL) > CLEAR);
  const targets = (some: readonly number[]) =>
    Int32Array.from(some, (i) => valence[i] > NEUTRAL ? 1 : 0);
  const intervals = readings.map((reading) =>
    intervalOf(clear.map((i) => reading[i]), targets(clear))
  );
  const auc = (some: readonly number[]) =>
    mean(readings.map((reading) => rocAuc(some.map((i) => reading[i]), targets(some))));
  return {
    clear: auc(clear),
    clearInterval: [0, 1].map((end) => mean(intervals.map((interval) => interval[end]))),
    all: auc([...themes.keys()]),
    valence: mean(readings.map((reading) => correlation(reading, valence))),
    arousal: mean(
      seeds.map((seed) => correlation(readAll(gram, arousal, themes, seed), arousal)),
    ),
  };
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const { oasis, encoder: encoders, splits, json } = line.values;
  if (oasis === undefined) throw new UsageError("--oasis is needed");
  const photographs = await readPhotographs(oasis);
  if (!json) {
    console.log("| encoder | AUC, clear | 95 % | AUC, all | valence, r | arousal, r |");
    console.log("| --- | ---: | --- | ---: | ---: | ---: |");
  }
  for (const spec of encoders) {
    const [, name, file] = spec.match(/^([^=]+)=(.+)$/) ?? [];
    if (file === undefined) throw new UsageError(`--encoder is NAME=FILE, got ${spec}`);
    const figures = await measure(file, photographs, splits);
    if (json) {
      console.log(JSON.stringify({ name, ...figures }));
      continue;
    }
    const { clear, clearInterval, all, valence, arousal } = figures;
    const cells = [clear, ...clearInterval, all, valence, arousal].map((x) => x.toFixed(3));
    const [auc, low, high, ...others] = cells;
    console.log(`| ${[name, auc, `${low} to ${high}`, ...others].join(" | ")} |`);
  }
}

if (import.meta.main) {
  await main().catch(fail);
  // Runtimes keep threads.
  Deno.exit();
}
