/**
 * `deno task build` with a small model of SigLIP's shape: every label is scored by a sigmoid of its own, all the way from
 * the hub to the answer over HTTP. Also templates, which are the same for models of either kind.
 */

import { createApp, createClassifier } from "@clip-e/edge";
import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import { folderSource } from "@clip-e/edge/deno";
import { findTaxonomy, preprocess, TAXONOMIES } from "@clip-e/shared";
import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { KNOWN_MODELS } from "../../trainer/clip/known_models.ts";
import { LocalHub } from "../local_hub.ts";
import { makeSyntheticClip } from "../synthetic_clip.ts";
import { runTask, type TaskResult } from "../e2e/task_command.ts";

const MODEL = "someone/siglip-tiny";
const SCALE = 9;
const BIAS = -2.5;
const siglip = makeSyntheticClip({ kind: "siglip" });
const folder = await Deno.makeTempDir({ prefix: "clip_e_siglip_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** Builds from a hub of the test's own. */
async function build(hub: LocalHub, ...args: string[]): Promise<TaskResult> {
  const hubIs = { HF_ENDPOINT: hub.endpoint, HF_HOME: `${folder}/cache` };
  for (const [name, value] of Object.entries(hubIs)) Deno.env.set(name, value);
  try {
    return await runTask("build", ["--precision=float32", ...args]);
  } finally {
    for (const name of Object.keys(hubIs)) Deno.env.delete(name);
  }
}

const unit = (vector: readonly number[]) => vector.map((v) => v / Math.hypot(...vector));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, v, i) => s + v * b[i], 0);

/** The unit vector of a label that several texts stand for, in double precision. */
function promptVector(texts: readonly string[]): number[] {
  const vectors = texts.map((text) => unit(siglip.textEmbedding(text)));
  return unit(vectors[0].map((_, i) => vectors.reduce((sum, vector) => sum + vector[i], 0)));
}

/** SigLIP's score of one label, in double precision. */
function expectedScore(image: readonly number[], texts: readonly string[]): number {
  return 1 / (1 + Math.exp(-(SCALE * dot(unit(image), promptVector(texts)) + BIAS)));
}

/** The image tower's embedding of a picture that is squashed to the tower's square, in double precision. */
async function embedInDouble(picture: Uint8Array<ArrayBuffer>): Promise<number[]> {
  const pixels = preprocess(await decodePicture(picture.slice(), createDecoders(), 1e7), {
    resize: 32,
    crop: 32,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    interpolation: "bicubic",
    resizeMode: "squash",
  });
  return siglip.imageEmbedding(pixels);
}

function assertScore(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) < 1e-4, `${what}: ${actual}, not ${expected}`);
}

Deno.test("build makes a bundle of a SigLIP model whose labels are scored one by one", async () => {
  await using hub = await LocalHub.start([{ name: MODEL, files: siglip.files }]);
  const out = `${folder}/siglip`;
  const scoring = [`--logit-scale=${SCALE}`, `--logit-bias=${BIAS}`];
  const run = await build(hub, `--model=${MODEL}`, `--out=${out}`, ...scoring, "--with-text");
  assert.equal(run.code, 0, run.stderr);

  const classifier = await createClassifier({ bundle: folderSource(out) });
  const app = createApp(classifier);
  const picture = await readPicture("storm.jpg");
  const image = await embedInDouble(picture);
  const ask = async (query: URLSearchParams) => {
    const request = new Request(`http://localhost/v1/classify?${query}`, {
      method: "POST",
      body: picture,
    });
    return (await (await app.fetch(request)).json()).predictions;
  };

  const predictions = await ask(new URLSearchParams());
  assert.equal(predictions.length, TAXONOMIES.length);
  for (const { taxonomy, method, normalization, scores } of predictions) {
    assert.equal(method, "zero-shot");
    assert.equal(normalization, "sigmoid");
    const labels = findTaxonomy(taxonomy)?.labels ?? [];
    assert.equal(scores.length, labels.length);
    for (const { id, prompt } of labels) {
      const score = scores.find(({ label }: { label: string }) => label === id)?.score;
      assertScore(score, expectedScore(image, [prompt]), `${taxonomy} ${id}`);
    }
  }

  const words = ["a sunny day", "a storm", "a cat"];
  const scoreOf = async (labels: readonly string[]) => {
    const query = new URLSearchParams(labels.map((label) => ["label", label]));
    const [{ normalization, scores }] = await ask(query);
    assert.equal(normalization, "sigmoid");
    for (const { label, score } of scores) {
      assertScore(score, expectedScore(image, [label]), label);
    }
    return new Map(
      scores.map(({ label, score }: { label: string; score: number }) => [label, score]),
    );
  };
  const all = await scoreOf(words);
  const fewer = await scoreOf(words.slice(0, 2));
  assert.equal(fewer.get("a storm"), all.get("a storm"), "other labels change nothing");

  const { taxonomies } = await (await app.fetch(new Request("http://localhost/v1/model"))).json();
  const { method, normalization, bias } = taxonomies[0].methods[0];
  assert.deepEqual({ method, normalization, bias }, {
    method: "zero-shot",
    normalization: "sigmoid",
    bias: BIAS,
  });
  await classifier.close();
});

Deno.test("build says that a SigLIP model of which nothing is known needs its scale and bias", async () => {
  await using hub = await LocalHub.start([{ name: MODEL, files: siglip.files }]);
  const out = `${folder}/unscored`;
  for (const some of [[], [`--logit-scale=${SCALE}`], [`--logit-bias=${BIAS}`]]) {
    const run = await build(hub, `--model=${MODEL}`, `--out=${out}`, ...some);
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /--logit-scale=N, exp of logit_scale, and --logit-bias=N/);
  }
  await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
});

Deno.test("build knows a model by its authors' name, and says where it looked for its files", async () => {
  const name = "google/siglip-base-patch16-224";
  {
    await using hub = await LocalHub.start([
      { name: "Xenova/siglip-base-patch16-224", files: siglip.files },
    ]);
    const run = await build(hub, `--model=${name}`, `--out=${folder}/known`);
    assert.equal(run.code, 0, run.stderr);
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}/known/manifest.json`));
    const [{ temperature, normalization, bias }] = manifest.taxonomies[0].methods;
    assert.deepEqual(
      { scale: Math.round(1 / temperature), normalization, bias: Math.round(bias) },
      {
        scale: 117,
        normalization: "sigmoid",
        bias: -13,
      },
    );
    assert.equal(manifest.license, "Apache-2.0");
    assert.ok(manifest.embeddingSpace.id.startsWith(`${name}@`));
  }
  await using hub = await LocalHub.start([]);
  const run = await build(hub, "--model=apple/MobileCLIP-S0", `--out=${folder}/nowhere`);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /looked for in Xenova\/mobileclip_s0: if they are elsewhere, name/);
});

Deno.test("build --help names the models that are known", async () => {
  const { code, stdout } = await runTask("build", ["--help"]);
  assert.equal(code, 0);
  for (const name of Object.keys(KNOWN_MODELS)) assert.ok(stdout.includes(`  ${name} `), name);
});

Deno.test("build averages the prompts that templates make, and the manifest holds their texts", async () => {
  await using hub = await LocalHub.start([{ name: MODEL, files: siglip.files }]);
  const labels = `${folder}/labels.json`;
  await Deno.writeTextFile(
    labels,
    JSON.stringify({
      id: "weather",
      templates: ["a photo of {label}", "{label}"],
      labels: ["rain", { id: "sun", names: ["sunshine", "the sun"] }],
    }),
  );
  const out = `${folder}/templates`;
  const run = await build(
    hub,
    `--model=${MODEL}`,
    `--out=${out}`,
    `--logit-scale=${SCALE}`,
    `--logit-bias=${BIAS}`,
    `--labels=${labels}`,
    "--template=a picture that evokes {label}",
    "--template",
    "this looks like {label}",
  );
  assert.equal(run.code, 0, run.stderr);
  const { prompts } = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
  const textsOf = (id: string): string[][] =>
    prompts.find(({ taxonomy }: { taxonomy: string }) => taxonomy === id).texts;
  assert.deepEqual(textsOf("polarity")[0], [
    "a picture that evokes a negative feeling",
    "this looks like a negative feeling",
  ]);
  assert.equal(textsOf("secondary")[1][0], "a picture that evokes cheerfullness");
  assert.deepEqual(textsOf("weather")[1], [
    "a photo of sunshine",
    "a photo of the sun",
    "sunshine",
    "the sun",
  ]);

  const classifier = await createClassifier({ bundle: folderSource(out) });
  const picture = await readPicture("storm.jpg");
  const image = await embedInDouble(picture);
  const { predictions } = await classifier.classify(picture.slice());
  for (const { taxonomy, scores } of predictions) {
    const ids = classifier.model.taxonomies.find(({ id }) => id === taxonomy)?.labels ?? [];
    ids.forEach(({ id }, k) => {
      const score = scores.find(({ label }) => label === id)?.score ?? NaN;
      assertScore(score, expectedScore(image, textsOf(taxonomy)[k]), `${taxonomy} ${id}`);
    });
  }
  await classifier.close();

  const bad = await build(hub, `--model=${MODEL}`, `--out=${out}_bad`, "--template=a photo");
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /--template must hold \{label\}/);
});
