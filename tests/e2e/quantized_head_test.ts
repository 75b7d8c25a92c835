/**
 * What a quantised encoder costs those who are served: a head is trained on float features, as always, and scores pictures
 * that it has not seen by their quantised features. No more than 0.005 of ROC AUC may be lost.
 *
 * Few pictures cannot show that by their AUC: on 48 its loss has a standard deviation of 0.006 between draws of pictures,
 * and the hundreds that could take too long (`tests/bench/quantized_oasis.ts` measures them all). What they show sharply is
 * how the two scores correlate: 0.999, with a deviation of 0.0004. Where each label's scores are normal with one variance,
 * noise that leaves a correlation of r within a label turns an AUC of Φ(z) into Φ(r z). That costs at most 0.242 (1 - r) / r,
 * whatever z is: no more than 0.005 while r is at least 0.98. It holds where more is lost: weights of 7 bits
 * (`--reduce-range`) leave 0.92 here, which foretells 0.019 at an AUC of 0.81, and all pictures lose 0.019.
 *
 * The photographs and a pretrained MobileNetV2 lie in a folder `shared` beside the checkout; without them the test is
 * skipped.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { preprocess } from "@clip-e/shared";
import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import { decodeFile } from "../../trainer/decode_file.ts";
import { readPreprocessing } from "../../trainer/encoder_file.ts";
import { rocAuc } from "../../trainer/evaluation.ts";
import { cosine } from "../../trainer/fidelity_cosines.ts";
import {
  modelFiles,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../../trainer/quantize/mod.ts";
import { spread } from "../../trainer/spread.ts";
import { scorePicture, trainHead } from "../../trainer/train_head.ts";
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
async function readExamples() {
  const rows: Record<string, string>[] = parse(await Deno.readTextFile(`${OASIS}/ratings.csv`), {
    columns: true,
  });
  return spread(rows, PICTURES).map(({ file, theme, valence_mean }) => ({
    file: `${OASIS}/images/${file}`,
    name: file,
    label: LABELS[Number(valence_mean) > 4 ? 1 : 0],
    group: theme,
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
      const read = async (file: string) =>
        preprocess(await decodeFile(await Deno.readFile(file), 1e6), preprocessing);
      const embeddings = new Float32Array(PICTURES * SIZE);
      for (const [i, { file }] of examples.entries()) {
        embeddings.set(await float.encode(await read(file)), i * SIZE);
      }
      const data = { examples, embeddings, size: SIZE, unreadable: [], cached: 0, digest: "" };
      const { head, temperature, evaluation, heldOut } = await trainHead(data, LABELS, {
        test: 1 / 3,
        members: 4,
        hidden: 512,
        seed: 0,
        fit: {},
      });
      const unseen = examples.flatMap(({ file, label }, i) => {
        const scores = heldOut[i];
        return scores ? [{ file, target: LABELS.indexOf(label), scores }] : [];
      });
      const served: Float64Array[] = [];
      for (const { file } of unseen) {
        served.push(scorePicture(head, temperature, await quantised.encode(await read(file))));
      }
      const targets = unseen.map(({ target }) => target);
      const correlation = correlationWithin(
        targets,
        unseen.map(({ scores }) => logOdds(scores)),
        served.map(logOdds),
      );
      assert.ok(correlation >= LEAST_CORRELATION, `correlation of the scores: ${correlation}`);
      const lost = Number(evaluation.rocAuc) - rocAuc(served.map((scores) => scores[1]), targets);
      assert.ok(lost <= MOST_LOST + 2 * NOISE, `ROC AUC lost: ${lost}`);
    } finally {
      await float.close();
      await quantised.close();
    }
  },
});
