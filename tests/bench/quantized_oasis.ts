/**
 * What quantising an encoder costs those who are served: a head is trained on the float MobileNetV2's features of the OASIS
 * photographs, and scores pictures that it has not seen by their float and by their quantised features. Five folds by theme,
 * as `deno task train --folds=5 --group-by=theme --keep-near-duplicates` has them, several seeds. It needs the photographs and the encoder:
 *
 * deno task bench:quantized-oasis [--shared DIR] [--seeds N] [--json FILE]
 */

import { type Backend, type Encoder, openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { findTaxonomy, preprocess } from "@clip-e/shared";
import { readCommandLine } from "@clip-e/shared/command-line";
import { parse } from "csv-parse/sync";
import type { Example } from "../../trainer/data/dataset.ts";
import { decodeFile } from "../../trainer/embedding/decode_file.ts";
import { readPreprocessing } from "../../trainer/encoder/encoder_file.ts";
import { rocAuc } from "../../trainer/evaluation/evaluate.ts";
import { cosine, median } from "../../trainer/fidelity/cosines.ts";
import {
  modelFiles,
  NO_EXTERNAL_DATA,
  quantizeModel,
  type QuantizeOptions,
  readModel,
} from "../../trainer/quantize/mod.ts";
import { type Calibrated, fitCalibrated, scoreCalibrated } from "../calibrated_heads.ts";
import { isNativeInstalled } from "../native_installed.ts";

const COMMAND = {
  name: "deno task bench:quantized-oasis",
  description: "Measures the ROC AUC that polarity on OASIS loses when MobileNetV2 is quantised.",
  flags: {
    shared: {
      kind: "string",
      value: "DIR",
      default: new URL("../../../shared", import.meta.url).pathname,
      help: "A folder with data/oasis and models/mobilenet_v2",
    },
    seeds: { kind: "integer", min: 1, default: 3, help: "Runs, each with other folds and weights" },
    json: { kind: "string", value: "FILE", help: "Write the figures as JSON, too" },
  },
} as const;

/** Convolutions in 8-bit integers too, in which nearly all of MobileNetV2 is computed. */
const INTEGERS: QuantizeOptions = { mode: "int8-dynamic", conv: "integers" };

const MODES: Readonly<Record<string, QuantizeOptions>> = {
  "`int8-dynamic`, `--conv`": INTEGERS,
  "`int8-dynamic`, `--conv`, `--reduce-range`": { ...INTEGERS, reduceRange: true },
  "`int8-weights`, `--conv-weights`": { mode: "int8-weights", conv: "weights" },
  "`fp16`": { mode: "fp16" },
};

/** Parts by theme, each scored by heads fitted to the others. */
const FOLDS = 5;
/** Of a picture to decode. */
const MAX_PIXELS = 200_000_000;
/** Mean valences above this are positive; those further than `CLEAR` from it are clear. */
const [NEUTRAL, CLEAR] = [4, 0.5];

/** A photograph, by its mean valence. */
interface Photograph extends Example {
  readonly valence: number;
}

/** An encoder and what it makes of the photographs. */
interface Contender {
  readonly name: string;
  readonly backend: string;
  /** Of the float model's bytes. */
  readonly size: number;
  readonly encoder: Encoder;
  /** `[D]` for each photograph. */
  readonly features: Float32Array[];
}

/** ROC AUC on all photographs and on the clear ones. */
interface Aucs {
  readonly all: number;
  readonly clear: number;
}

async function readPhotographs(oasis: string): Promise<Photograph[]> {
  const rows: Record<string, string>[] = parse(await Deno.readTextFile(`${oasis}/ratings.csv`), {
    columns: true,
  });
  return rows.map(({ file, theme, valence_mean }) => ({
    name: file,
    group: theme,
    read: () => Deno.readFile(`${oasis}/images/${file}`),
    valence: Number(valence_mean),
    label: Number(valence_mean) > NEUTRAL ? "positive" : "negative",
  }));
}

/** The float encoder first, on the fastest backend; then each mode there, and integers in WebAssembly too. */
async function openContenders(path: string, crop: number): Promise<Contender[]> {
  const bytes = await Deno.readFile(path);
  const model = { proto: readModel(bytes, path), external: NO_EXTERNAL_DATA };
  // One thread: two that wait for each other are slow wherever something else runs.
  const backend = isNativeInstalled ? openNativeBackend({ threads: 1 }) : wasmBackend;
  const open = async (name: string, files: { bytes: Uint8Array }, backend: Backend) => ({
    name,
    backend: backend.name,
    size: files.bytes.length / bytes.length,
    encoder: await openEncoder(files.bytes, crop, { backend }),
    features: [],
  });
  const contenders: Contender[] = [await open("float", { bytes }, backend)];
  for (const [name, options] of Object.entries(MODES)) {
    const files = await modelFiles((await quantizeModel(model, options)).model);
    contenders.push(await open(name, files, backend));
    if (options === INTEGERS && backend !== wasmBackend) {
      contenders.push(await open(name, files, wasmBackend));
    }
  }
  return contenders;
}

/** Has every encoder encode every photograph, which is decoded once. */
async function embed(photographs: readonly Photograph[], folder: string): Promise<Contender[]> {
  const { preprocessing } = await readPreprocessing(folder);
  const contenders = await openContenders(`${folder}/encoder.onnx`, preprocessing.crop);
  for (const [i, { read }] of photographs.entries()) {
    if (i % 100 === 0) console.error(`Embedding, ${i} of ${photographs.length} ...`);
    const input = preprocess(await decodeFile(await read(), MAX_PIXELS), preprocessing);
    for (const { encoder, features } of contenders) features.push(await encoder.encode(input));
  }
  for (const { encoder } of contenders) await encoder.close();
  return contenders;
}

/** Fits the heads of a cross-validation, as `deno task train` does with this seed. */
async function fitFolds(
  photographs: readonly Photograph[],
  features: readonly Float32Array[],
  seed: number,
): Promise<Calibrated[]> {
  const polarity = findTaxonomy("polarity");
  if (!polarity) throw new TypeError("The project knows no taxonomy called polarity");
  const size = features[0].length;
  const embeddings = new Float32Array(features.length * size);
  features.forEach((row, i) => embeddings.set(row, i * size));
  return await fitCalibrated({ examples: photographs, embeddings, size }, polarity, {
    folds: FOLDS,
    seed,
    onRound: (k) => console.error(`Seed ${seed}, training fold ${k} of ${FOLDS} ...`),
  });
}

function targetsOf(photographs: readonly Photograph[]): Int32Array {
  return Int32Array.from(photographs, ({ label }) => label === "positive" ? 1 : 0);
}

/** Scores each photograph by the head that has not seen it. */
function measure(
  photographs: readonly Photograph[],
  features: readonly Float32Array[],
  folds: readonly Calibrated[],
): Aucs {
  const scores: number[] = [];
  for (const fold of folds) {
    for (const i of fold.test) scores[i] = scoreCalibrated(fold, features[i])[1];
  }
  const auc = (some: readonly number[]) =>
    rocAuc(some.map((i) => scores[i]), targetsOf(some.map((i) => photographs[i])));
  const all = [...photographs.keys()];
  return {
    all: auc(all),
    clear: auc(all.filter((i) => Math.abs(photographs[i].valence - NEUTRAL) > CLEAR)),
  };
}

/** What a contender came to, beside the first. */
function describe({ name, backend, size, features }: Contender, float: Contender, aucs: Aucs[]) {
  const cosines = features.map((row, i) => cosine(row, float.features[i]));
  return {
    name,
    backend,
    size,
    cosine: { min: Math.min(...cosines), median: median(cosines) },
    auc: aucs,
  };
}

type Row = ReturnType<typeof describe>;

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Prints a Markdown table: the mean over seeds, and how much is lost, on average and at most. */
function print(rows: readonly Row[]): void {
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(" | ")} |`);
  const auc = (row: Row, part: keyof Aucs) => {
    const values = row.auc.map((aucs) => aucs[part]);
    const losses = values.map((value, i) => rows[0].auc[i][part] - value);
    const signed = (loss: number) => `${loss < 0 ? "" : "+"}${loss.toFixed(4)}`;
    return [
      mean(values).toFixed(4),
      row === rows[0] ? "" : `${signed(mean(losses))} (${signed(Math.max(...losses))})`,
    ];
  };
  const columns = ["mode", "backend", "size", "cosine, least", "median"];
  for (const part of ["all", "clear"]) columns.push(`AUC, ${part}`, "lost (at most)");
  line(columns);
  line(columns.map((_, i) => i < 2 ? "---" : "---:"));
  for (const row of rows) {
    const { name, backend, size, cosine } = row;
    const near = [cosine.min, cosine.median].map((value) => value.toFixed(5));
    const percent = `${(100 * size).toFixed(1)} %`;
    line([name, backend, percent, ...near, ...auc(row, "all"), ...auc(row, "clear")]);
  }
}

async function run(shared: string, seeds: number, json: string | undefined): Promise<void> {
  const photographs = await readPhotographs(`${shared}/data/oasis`);
  const contenders = await embed(photographs, `${shared}/models/mobilenet_v2`);
  const [float] = contenders;
  const aucs = contenders.map((): Aucs[] => []);
  for (let seed = 0; seed < seeds; seed++) {
    const folds = await fitFolds(photographs, float.features, seed);
    contenders.forEach(({ features }, c) => aucs[c].push(measure(photographs, features, folds)));
  }
  const rows = contenders.map((contender, c) => describe(contender, float, aucs[c]));
  console.log(
    `MobileNetV2 on ${photographs.length} OASIS photographs, polarity, ${FOLDS} folds by theme, seeds 0 to ${
      seeds - 1
    }; ` +
      "heads trained on float features\n",
  );
  print(rows);
  if (json !== undefined) await Deno.writeTextFile(json, JSON.stringify(rows, null, 2) + "\n");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const line = readCommandLine(COMMAND, Deno.args);
if ("help" in line) {
  console.log(line.help);
} else {
  const { shared, seeds, json } = line.values;
  const needed = ["data/oasis/ratings.csv", "models/mobilenet_v2/encoder.onnx"];
  const isThere = await Promise.all(needed.map((name) => exists(`${shared}/${name}`)));
  if (isThere.includes(false)) {
    console.log(
      `Skipped: there is no ${
        needed.join(" or no ")
      } in ${shared}. Name their folder with --shared`,
    );
  } else await run(shared, seeds, json);
  // Runtimes keep threads.
  Deno.exit(0);
}
