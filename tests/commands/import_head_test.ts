/**
 * `deno task import-head`, on Keras files that the test writes, into the synthetic bundle.
 */

import { createClassifier } from "@clip-e/edge";
import { folderSource } from "@clip-e/edge/deno";
import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { type KerasLayer, writeKerasFile } from "../keras_file.ts";
import { seededRandom } from "../random.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { runTask } from "../e2e/task_command.ts";

const SIZE = 512;
const random = seededRandom(5);
const folder = await Deno.makeTempDir({ prefix: "clip_e_import_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

function layer(inputs: number, units: number): KerasLayer {
  const scale = 1 / Math.sqrt(inputs);
  const numbers = (length: number) => random.floats(length).map((v) => v * scale);
  return { inputs, units, kernel: numbers(inputs * units), bias: numbers(units) };
}

/** `x · kernel + bias`, in double precision, written apart from the project's own. */
function dense({ inputs, units, kernel, bias }: KerasLayer, x: readonly number[]): number[] {
  return Array.from({ length: units }, (_, j) => {
    let y = bias[j];
    for (let i = 0; i < inputs; i++) y += x[i] * kernel[i * units + j];
    return y;
  });
}

const relu = (x: readonly number[]) => x.map((v) => Math.max(v, 0));

function softmax(logits: readonly number[]): number[] {
  const weights = logits.map((z) => Math.exp(z));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

const { files, manifest, prompts } = await makeSyntheticBundle();

async function freshBundle(name: string): Promise<string> {
  const path = `${folder}/${name}`;
  await writeBundleFiles(files, new URL(`file://${path}/`));
  return path;
}

async function writeHead(name: string, layers: Record<string, KerasLayer>): Promise<string> {
  await Deno.writeFile(`${folder}/${name}`, writeKerasFile(layers));
  return `${folder}/${name}`;
}

const importHead = (file: string, bundle: string, ...more: string[]) =>
  runTask("import-head", [file, `--bundle=${bundle}`, "--trained-on=synthetic", ...more]);

for (const [units, taxonomy] of [[1, "polarity"], [6, "primary"], [25, "secondary"]] as const) {
  Deno.test(`import-head adds a cross-entropy head of ${units} outputs, which says what its weights say`, async () => {
    const bundle = await freshBundle(`ce_${units}`);
    const layers = { img_fc1: layer(SIZE, SIZE), preds: layer(SIZE, units) };
    const run = await importHead(await writeHead(`ce_${units}.hdf5`, layers), bundle, "--json");
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(JSON.parse(run.stdout).taxonomies, [taxonomy]);

    const classifier = await createClassifier({ bundle: folderSource(bundle) });
    const picture = await readPicture("storm.jpg");
    const { embedding } = await classifier.embed(picture.slice());
    const { predictions: [{ method, scores }] } = await classifier.classify(picture.slice(), {
      taxonomies: [taxonomy],
      method: "cross-entropy",
    });
    assert.equal(method, "cross-entropy");
    const logits = dense(layers.preds, relu(dense(layers.img_fc1, Array.from(embedding))));
    const expected = softmax(units === 1 ? [0, logits[0]] : logits);
    const labels = manifest.taxonomies.find(({ id }) => id === taxonomy)?.labels ?? [];
    assert.equal(scores.length, labels.length);
    for (const { label, score } of scores) {
      const wanted = expected[labels.findIndex(({ id }) => id === label)];
      assert.ok(Math.abs(score - wanted) < 1e-5, `${label}: ${score}, not ${wanted}`);
    }
    await classifier.close();
  });
}

Deno.test("import-head adds a contrastive head to every taxonomy that has prompts", async () => {
  const bundle = await freshBundle("contrastive");
  const layers = { img_fc1: layer(SIZE, SIZE), img_fc2: layer(SIZE, SIZE) };
  const run = await importHead(await writeHead("contrastive.hdf5", layers), bundle, "--json");
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(JSON.parse(run.stdout).taxonomies, [...prompts.keys()]);

  const classifier = await createClassifier({ bundle: folderSource(bundle) });
  const picture = await readPicture("storm.jpg");
  const { embedding } = await classifier.embed(picture.slice());
  const projected = dense(layers.img_fc2, relu(dense(layers.img_fc1, Array.from(embedding))));
  const norm = Math.hypot(...projected);
  const { predictions } = await classifier.classify(picture.slice(), { method: "contrastive" });
  assert.equal(predictions.length, prompts.size);
  for (const { taxonomy, scores } of predictions) {
    const { count, vectors } = prompts.get(taxonomy) ?? { count: 0, vectors: new Float32Array() };
    const expected = softmax(Array.from({ length: count }, (_, k) => {
      const prompt = vectors.subarray(k * SIZE, (k + 1) * SIZE);
      return prompt.reduce((sum, v, i) => sum + v * projected[i], 0) / norm;
    }));
    const labels = manifest.taxonomies.find(({ id }) => id === taxonomy)?.labels ?? [];
    for (const { label, score } of scores) {
      const wanted = expected[labels.findIndex(({ id }) => id === label)];
      assert.ok(Math.abs(score - wanted) < 1e-5, `${taxonomy} ${label}: ${score}, not ${wanted}`);
    }
  }
  await classifier.close();
});

Deno.test("import-head says in a sentence what does not fit, and leaves the bundle as it was", async (t) => {
  const bundle = await freshBundle("refused");
  const before = await Deno.readTextFile(`${bundle}/manifest.json`);
  const fits = { img_fc1: layer(SIZE, 8), preds: layer(8, 6) };
  const head = await writeHead("fits.hdf5", fits);
  await Deno.writeTextFile(`${folder}/words.hdf5`, "not HDF5");
  const seven = await writeHead("seven.hdf5", { ...fits, preds: layer(8, 7) });
  const narrow = await writeHead("narrow.hdf5", { ...fits, img_fc1: layer(256, 8) });
  const short = await writeHead("short.hdf5", { img_fc1: layer(SIZE, 8), img_fc2: layer(8, 256) });
  const cases: [string, string[], number, RegExp][] = [
    ["a head of another model", [head, `--bundle=${bundle}`], 1, /trained on openai\/clip-vit/],
    [
      "a taxonomy of another size",
      [head, `--bundle=${bundle}`, "--trained-on=synthetic", "--taxonomy=mikels"],
      1,
      /6 outputs, and the taxonomy mikels 8 labels/,
    ],
    [
      "outputs that are not known",
      [seven, `--bundle=${bundle}`, "--trained-on=synthetic"],
      1,
      /--taxonomy/,
    ],
    ["another input", [narrow, `--bundle=${bundle}`, "--trained-on=synthetic"], 1, /takes 256/],
    ["another projection", [short, `--bundle=${bundle}`, "--trained-on=synthetic"], 1, /to 256/],
    ["a file that is no HDF5", [`${folder}/words.hdf5`, `--bundle=${bundle}`], 1, /words\.hdf5/],
    ["a file that is not there", [`${folder}/none.hdf5`, `--bundle=${bundle}`], 1, /none\.hdf5/],
    ["no bundle", [head, `--bundle=${folder}/nowhere`], 1, /There is no bundle/],
    ["no file", [`--bundle=${bundle}`], 2, /Name one file/],
  ];
  for (const [name, args, code, message] of cases) {
    await t.step(name, async () => {
      const run = await runTask("import-head", args);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, message);
      assert.ok(!run.stderr.includes("    at "), run.stderr);
    });
  }
  assert.equal(await Deno.readTextFile(`${bundle}/manifest.json`), before);
});
