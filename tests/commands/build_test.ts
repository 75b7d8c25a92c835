/**
 * `deno task build`, from a hub on this machine and from a folder, with a small model of CLIP's shape.
 */

import { type Classifier, createApp, createClassifier } from "@clip-e/edge";
import { folderSource } from "@clip-e/edge/deno";
import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import { findTaxonomy, preprocess, TAXONOMIES } from "@clip-e/shared";
import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { LocalHub } from "../local_hub.ts";
import {
  makeSyntheticClip,
  SYNTHETIC_PREPROCESSING,
  type SyntheticClip,
} from "../synthetic_clip.ts";
import { runTask, type TaskResult } from "../e2e/task_command.ts";

const MODEL = "someone/clip-tiny";
const folder = await Deno.makeTempDir({ prefix: "clip_e_build_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** Runs a task with a hub and a cache of the test's own. */
async function runWithHub(
  task: string,
  hub: LocalHub | undefined,
  cache: string,
  args: readonly string[],
): Promise<TaskResult> {
  const before = { HF_ENDPOINT: hub?.endpoint ?? "http://127.0.0.1:9", HF_HOME: cache };
  for (const [name, value] of Object.entries(before)) Deno.env.set(name, value);
  try {
    return await runTask(task, args);
  } finally {
    for (const name of Object.keys(before)) Deno.env.delete(name);
  }
}

const build = (hub: LocalHub | undefined, cache: string, ...args: string[]) =>
  runWithHub("build", hub, cache, ["--precision=float32", ...args]);

async function writeModel(to: string, { files }: Pick<SyntheticClip, "files">): Promise<void> {
  await Deno.mkdir(`${to}/onnx`, { recursive: true });
  for (const [path, bytes] of Object.entries(files)) await Deno.writeFile(`${to}/${path}`, bytes);
}

function unit(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((v) => v / norm);
}

const sum = (a: readonly number[], b: readonly number[]) => a.map((v, i) => v + b[i]);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, v, i) => s + v * b[i], 0);

/** CLIP's zero-shot scores, in double precision. */
function zeroShot(embedding: readonly number[], prompts: readonly number[][]): number[] {
  const logits = prompts.map((prompt) => 100 * dot(unit(embedding), prompt));
  const largest = Math.max(...logits);
  const weights = logits.map((z) => Math.exp(z - largest));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / total);
}

for (const withMask of [false, true]) {
  Deno.test(`build makes a bundle of a hub's model that is served zero-shot, ${withMask ? "with" : "without"} attention_mask`, async () => {
    const clip = makeSyntheticClip({ withMask });
    await using hub = await LocalHub.start([
      { name: MODEL, files: clip.files, card: { license: "mit" } },
    ]);
    const labels = `${folder}/labels.json`;
    await Deno.writeTextFile(
      labels,
      JSON.stringify({
        id: "weather",
        labels: [
          { id: "sun", title: "Sunshine", prompts: ["a sunny day", "sunshine on the sea"] },
          { id: "rain", prompts: "a rainy day" },
        ],
      }),
    );
    const out = `${folder}/bundle_${withMask}`;
    const run = await build(
      hub,
      `${folder}/cache_${withMask}`,
      `--model=${MODEL}`,
      `--out=${out}`,
      `--labels=${labels}`,
    );
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /Logit scale: CLIP's own 100/);

    const manifest = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
    assert.equal(manifest.license, "mit");
    assert.equal(manifest.embeddingSpace.id, `${MODEL}@${hub.commitOf(MODEL)}/projection`);

    const classifier = await createClassifier({ bundle: folderSource(out) });
    assert.deepEqual(
      classifier.model.taxonomies.map(({ id }) => id),
      [...TAXONOMIES.map(({ id }) => id), "weather"],
    );
    const picture = await readPicture("storm.jpg");
    const { embedding } = await classifier.embed(picture.slice());
    const { predictions } = await classifier.classify(picture.slice());
    const prompts = (texts: readonly string[][]) =>
      texts.map((some) => unit(some.map((t) => unit(clip.textEmbedding(t))).reduce(sum)));
    for (const { taxonomy, method, scores } of predictions) {
      assert.equal(method, "zero-shot");
      const known = findTaxonomy(taxonomy);
      const texts = known
        ? known.labels.map(({ prompt }) => [prompt])
        : [["a sunny day", "sunshine on the sea"], ["a rainy day"]];
      const ids = known ? known.labels.map(({ id }) => id) : ["sun", "rain"];
      const expected = zeroShot(Array.from(embedding), prompts(texts));
      for (const { label, score } of scores) {
        const wanted = expected[ids.indexOf(label)];
        assert.ok(Math.abs(score - wanted) < 1e-4, `${taxonomy} ${label}: ${score}, not ${wanted}`);
      }
    }
    await classifier.close();
  });
}

Deno.test("build fetches nothing twice, and works from the cache alone at a pinned commit", async () => {
  const cache = `${folder}/cache_twice`;
  const clip = makeSyntheticClip();
  let commit: string;
  {
    await using hub = await LocalHub.start([{ name: MODEL, files: clip.files }]);
    commit = hub.commitOf(MODEL);
    const first = await build(hub, cache, `--model=${MODEL}`, `--out=${folder}/twice_1`);
    assert.equal(first.code, 0, first.stderr);
    hub.reset();
    const second = await build(hub, cache, `--model=${MODEL}`, `--out=${folder}/twice_2`);
    assert.equal(second.code, 0, second.stderr);
    assert.deepEqual(hub.contentRequests, []);
  }
  const pinned = [`--model=${MODEL}`, `--revision=${commit}`, `--out=${folder}/twice_3`];
  const offline = await build(undefined, cache, ...pinned);
  assert.equal(offline.code, 0, offline.stderr);
});

Deno.test("build takes a folder in the hub's layout", async () => {
  const model = `${folder}/local-clip`;
  await writeModel(model, makeSyntheticClip());
  const run = await build(undefined, folder, `--model=${model}`, `--out=${folder}/local`, "--json");
  assert.equal(run.code, 0, run.stderr);
  assert.equal(JSON.parse(run.stdout).space, "local-clip/projection");
});

Deno.test("build says in a sentence what is wrong, and leaves no bundle", async (t) => {
  const { files } = makeSyntheticClip();
  const cases: [string, Record<string, Uint8Array<ArrayBuffer> | undefined>, RegExp][] = [
    ["a missing file", { "tokenizer.json": undefined }, /has no tokenizer\.json/],
    [
      "a model of another kind",
      { "config.json": new TextEncoder().encode(`{"model_type": "bert"}`) },
      /model_type is bert/,
    ],
    [
      "a preprocessing that is not done here",
      {
        "preprocessor_config.json": new TextEncoder().encode(`{"size": 32, "resample": 4}`),
      },
      /resample is 4 \(box\)/,
    ],
    [
      "a broken text model",
      { "onnx/text_model.onnx": new Uint8Array(99) },
      /text_model\.onnx: it is not an ONNX file/,
    ],
    [
      "towers of two models",
      { "onnx/text_model.onnx": makeSyntheticClip({ size: 40 }).files["onnx/text_model.onnx"] },
      /40 numbers and the image encoder 24/,
    ],
  ];
  for (const [i, [name, change, message]] of cases.entries()) {
    await t.step(name, async () => {
      const model = `${folder}/wrong_${i}`;
      const kept = Object.entries({ ...files, ...change }).filter(([, bytes]) => bytes);
      await writeModel(model, {
        files: Object.fromEntries(kept) as SyntheticClip["files"],
      });
      const out = `${folder}/wrong_out_${i}`;
      const run = await build(undefined, folder, `--model=${model}`, `--out=${out}`);
      assert.equal(run.code, 1, run.stderr);
      assert.match(run.stderr, message);
      assert.ok(!run.stderr.includes("    at "), run.stderr);
      await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
    });
  }
  await t.step("a bundle that is there already", async () => {
    const model = `${folder}/local-clip`;
    const run = await build(undefined, folder, `--model=${model}`, `--out=${folder}/local`);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /There is a bundle/);
  });
  await t.step("a model that the hub does not have", async () => {
    await using hub = await LocalHub.start([]);
    const run = await build(hub, `${folder}/none`, "--model=no/body", `--out=${folder}/none_out`);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /no\/body/);
    assert.ok(!run.stderr.includes("    at "), run.stderr);
  });
});

Deno.test("verify:clip scores a picture as the towers do in double precision, and tells of scores that are off", async () => {
  const clip = makeSyntheticClip({ withMask: true });
  await using hub = await LocalHub.start([{ name: MODEL, files: clip.files }]);
  const picture = new URL("../../fixtures/pictures/storm.jpg", import.meta.url).pathname;
  const pixels = preprocess(
    await decodePicture(await Deno.readFile(picture), createDecoders(), 1e7),
    SYNTHETIC_PREPROCESSING,
  );
  const texts = ["a diagram", "a dog", "a cat"];
  const prompts = texts.map((text) => unit(clip.textEmbedding(text)));
  const expected = zeroShot(clip.imageEmbedding(pixels), prompts);

  const cache = `${folder}/cache_verify`;
  const verify = (scores: readonly number[]) =>
    runWithHub("verify:clip", hub, cache, [
      `--model=${MODEL}`,
      `--picture=${picture}`,
      `--expect=${scores.join()}`,
      "--tolerance=1e-4",
      "--json",
    ]);
  const right = await verify(expected);
  assert.equal(right.code, 0, right.stderr);
  const { scores, largestError, encodeMilliseconds } = JSON.parse(right.stdout);
  assert.deepEqual(scores.map(({ text }: { text: string }) => text), texts);
  assert.ok(largestError < 1e-4, `off by ${largestError}`);
  assert.ok(encodeMilliseconds > 0);

  const wrong = await verify([...expected].reverse());
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /not those that were published/);
});

Deno.test("build --with-text makes a bundle that scores labels of the caller's own", async () => {
  const clip = makeSyntheticClip();
  const model = `${folder}/with-text-model`;
  await writeModel(model, clip);
  const out = `${folder}/with_text`;
  const run = await build(undefined, folder, `--model=${model}`, `--out=${out}`, "--with-text");
  assert.equal(run.code, 0, run.stderr);

  const classifier = await createClassifier({ bundle: folderSource(out) });
  assert.equal(classifier.model.servesLabels, true);
  const app = createApp(classifier);
  const picture = await readPicture("storm.jpg");
  const ask = async (query: string) =>
    await app.fetch(
      new Request(`http://localhost/v1/classify?${query}`, { method: "POST", body: picture }),
    );
  const { embedding } = await classifier.embed(picture.slice());
  const labels = ["a sunny day", "a storm", "a cat"];
  const query = new URLSearchParams(labels.map((label) => ["label", label])).toString();
  for (let round = 0; round < 2; round++) {
    const { predictions } = await (await ask(query)).json();
    assert.equal(predictions.length, 1);
    assert.equal(predictions[0].method, "zero-shot");
    const expected = zeroShot(
      Array.from(embedding),
      labels.map((label) => unit(clip.textEmbedding(label))),
    );
    for (const { label, score } of predictions[0].scores) {
      const wanted = expected[labels.indexOf(label)];
      assert.ok(Math.abs(score - wanted) < 1e-4, `${label}: ${score}, not ${wanted}`);
    }
  }
  const { predictions: [{ scores }] } = await (await ask(`${query}&top=1`)).json();
  assert.equal(scores.length, 1);
  for (
    const wrong of [
      "label=a",
      "label=a&label=a",
      "label=a&label=",
      `label=a&label=${"b".repeat(301)}`,
      "label=a&label=b&taxonomy=polarity",
      "label=a&label=b&method=cross-entropy",
      Array.from({ length: 101 }, (_, i) => `label=${i}`).join("&"),
    ]
  ) {
    const response = await ask(wrong);
    assert.equal(response.status, 422, wrong);
    assert.equal((await response.json()).code, "invalid-parameter", wrong);
  }
  await classifier.close();
});

Deno.test("labels and pictures asked for at once are answered as they are alone", async () => {
  const bundle = folderSource(`${folder}/with_text`);
  const pictures = ["storm.jpg", "sunset.jpg", "rgba.png", "small.jpg"];
  const questions = pictures.flatMap((name, i) =>
    [0, 1].map((k) => ({
      name,
      labels: [`word ${"abcd"[i]}`, `thing ${"efgh"[i]}`, `x ${"yz"[k]}`],
    }))
  );
  const ask = async (classifier: Classifier, { name, labels }: typeof questions[number]) =>
    (await classifier.classify(await readPicture(name), { labels })).predictions;
  const alone = await createClassifier({ bundle });
  const expected = [];
  for (const question of questions) expected.push(await ask(alone, question));
  await alone.close();
  const busy = await createClassifier({ bundle });
  assert.deepEqual(await Promise.all(questions.map((question) => ask(busy, question))), expected);
  await busy.close();
});

Deno.test("a bundle without a text encoder says how to compile labels", async () => {
  const classifier = await createClassifier({ bundle: folderSource(`${folder}/local`) });
  const response = await createApp(classifier).fetch(
    new Request("http://localhost/v1/classify?label=a&label=b", {
      method: "POST",
      body: await readPicture("small.jpg"),
    }),
  );
  assert.equal(response.status, 422);
  const { code, detail } = await response.json();
  assert.equal(code, "labels-not-served");
  assert.match(detail, /deno task build --labels FILE/);
  await classifier.close();
});
