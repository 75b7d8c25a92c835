/**
 * What a quantised encoder costs those who are served: a head is trained on float features, as always, and scores pictures
 * that it has not seen by their quantised features. No more than 0.005 of ROC AUC may be lost.
 *
 * Few pictures cannot show that by their AUC: on 48 its loss has a standard deviation of 0.006 between draws of pictures,
 * and the hundreds that could take too long (`tests/bench/quantized_oasis.ts` measures them all). What they show sharply is
 * how the two scores correlate: 0.999, with a deviation of 0.0004. Where each label's scores are normal with one variance,
 * noise that leaves a correlation of r within a label turns an AUC of Φ(z) into Φ(r z). That costs at most 0.242 (1 - r) / r,
 * whatever z is: no more than 0.005 while r is at least 0.98. It holds where more is lost: weights of 7 bits
 * (`--reduce-range`) leave 0.92 here, which foretells 0.019 at an AUC of 0.81, and all pictures lose 0.020.
 *
 * The photographs and a pretrained MobileNetV2 lie in a folder `shared` beside the checkout; without them the test is
 * skipped.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { findTaxonomy, preprocess } from "@clip-e/shared";
import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import type { Example } from "../../trainer/data/dataset.ts";
import { decodeFile } from "../../trainer/embedding/decode_file.ts";
import { readPreprocessing } from "../../trainer/encoder/encoder_file.ts";
import { rocAuc } from "../../trainer/evaluation/evaluate.ts";
import { cosine } from "../../trainer/fidelity/cosines.ts";
import {
  modelFiles,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../../trainer/quantize/mod.ts";
import { spread } from "../../trainer/spread.ts";
import { fitCalibrated, scoreCalibrated } from "../calibrated_heads.ts";
import { isNativeInstalled } from "../native_installed.ts";

const SHARED = new URL("../../../shared/", import.meta.url).pathname;
const OASIS = `${SHARED}data/oasis`;
const MODEL = `${SHARED}models/mobilenet_v2`;

const LABELS = ["negative", "positive"];
const SIZE = 1280;
/** Two thirds to train on. */
const PICTURES = 144;

const MOST_LOST = 0.005;
const LEAST_CORRELATION = 0.98;
/** Standard deviation of the loss of AUC on 48 pictures, over 20 random draws of pictures. */
const NOISE = 0.006;

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const isThere = await exists(`${OASIS}/ratings.csv`) && await exists(`${MODEL}/encoder.onnx`);
if (!isThere) console.warn(`skipped: the OASIS photographs or MobileNetV2 are not in ${SHARED}`);

/** Photographs from all over OASIS; a mean valence above 4 is positive. */
async function readExamples(): Promise<Example[]> {
  const rows: Record<string, string>[] = parse(await Deno.readTextFile(`${OASIS}/ratings.csv`), {
    columns: true,
  });
  return spread(rows, PICTURES).map(({ file, theme, valence_mean }) => ({
    name: file,
    label: LABELS[Number(valence_mean) > 4 ? 1 : 0],
    group: theme,
    read: () => Deno.readFile(`${OASIS}/images/${file}`),
  }));
}

/** The float encoder and the one that computes with 8-bit integers, on the fastest backend that is there. */
async function openEncoders(crop: number) {
  // One thread: two that wait for each other are slow wherever something else runs.
  const backend = isNativeInstalled ? openNativeBackend({ threads: 1 }) : wasmBackend;
  const bytes = await Deno.readFile(`${MODEL}/encoder.onnx`);
  const model = { proto: readModel(bytes), external: NO_EXTERNAL_DATA };
  const made = await quantizeModel(model, { mode: "int8-dynamic", conv: "integers" });
  const quantised = await modelFiles(made.model);
  return {
    float: await openEncoder(bytes, crop, { backend }),
    quantised: await openEncoder(quantised.bytes, crop, { backend }),
  };
}

function logOdds([negative, positive]: Float64Array): number {
  return Math.log(positive / negative);
}

/** Pearson's correlation of two scores after each label's mean is taken off them. */
function correlationWithin(
  targets: readonly number[],
  a: readonly number[],
  b: readonly number[],
): number {
  const centred = (values: readonly number[]) => {
    const means = LABELS.map((_, label) => {
      const some = values.filter((_, i) => targets[i] === label);
      return some.reduce((sum, value) => sum + value, 0) / some.length;
    });
    return values.map((value, i) => value - means[targets[i]]);
  };
  return cosine(centred(a), centred(b));
}

Deno.test({
  name: "a head trained on float features scores unseen pictures alike by int8-dynamic ones",
  ignore: !isThere,
  async fn() {
    const examples = await readExamples();
    const { preprocessing } = await readPreprocessing(MODEL);
    const { float, quantised } = await openEncoders(preprocessing.crop);
    try {
      const inputOf = async ({ read }: Example) =>
        preprocess(await decodeFile(await read(), 1e6), preprocessing);
      const embeddings = new Float32Array(PICTURES * SIZE);
      for (const [i, example] of examples.entries()) {
        embeddings.set(await float.encode(await inputOf(example)), i * SIZE);
      }
      const taxonomy = findTaxonomy("polarity") ?? assert.fail("there is no polarity");
      assert.deepEqual(taxonomy.labels.map(({ id }) => id), LABELS);
      const data = { examples, embeddings, size: SIZE };
      const [head] = await fitCalibrated(data, taxonomy, { test: 1 / 3, seed: 0 });
      const targets: number[] = [];
      const unseen: Float64Array[] = [];
      const served: Float64Array[] = [];
      for (const i of head.test) {
        targets.push(LABELS.indexOf(examples[i].label));
        unseen.push(scoreCalibrated(head, embeddings.subarray(i * SIZE, (i + 1) * SIZE)));
        served.push(scoreCalibrated(head, await quantised.encode(await inputOf(examples[i]))));
      }
      const correlation = correlationWithin(
        targets,
        unseen.map(logOdds),
        served.map(logOdds),
      );
      assert.ok(correlation >= LEAST_CORRELATION, `correlation of the scores: ${correlation}`);
      const auc = (scores: readonly Float64Array[]) => rocAuc(scores.map(([, p]) => p), targets);
      const lost = auc(unseen) - auc(served);
      assert.ok(lost <= MOST_LOST + 2 * NOISE, `ROC AUC lost: ${lost}`);
    } finally {
      await float.close();
      await quantised.close();
    }
  },
});
