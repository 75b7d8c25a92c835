/** Variants of heads, from a bundle's files to answers. */

import {
  type ContrastiveHead,
  type CrossEntropyHead,
  describeFile,
  type Head,
  MANIFEST_PATH,
  writeHead,
  writeManifest,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { createClassifier } from "../../edge/classifier.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const bundle = await makeSyntheticBundle();
const small = await readPicture("small.jpg");
/** Of anger, fear, joy, love, sadness and surprise: negative, positive, or neither. */
const GROUPS = Int32Array.of(0, 0, 1, 1, 0, -1);

/** The bundle with other heads in the files of its own. */
async function openWith(heads: Readonly<Record<string, Head>>) {
  const files = new Map(bundle.files);
  const manifest = structuredClone(bundle.manifest);
  for (const [id, head] of Object.entries(heads)) {
    const path = `heads/${id}.safetensors`;
    const bytes = writeHead(head);
    files.set(path, bytes);
    const entry = manifest.heads.find((entry) => entry.id === id);
    assert.ok(entry);
    entry.file = await describeFile(path, bytes);
  }
  files.set(MANIFEST_PATH, writeManifest(manifest));
  return await createClassifier({
    bundle: { read: (path) => Promise.resolve(files.get(path)) },
  });
}

type Classifier = Awaited<ReturnType<typeof openWith>>;

async function scoresOf(classifier: Classifier, taxonomy: string, method: string) {
  const { predictions } = await classifier.classify(small, { taxonomies: [taxonomy], method });
  return new Map(predictions[0].scores.map(({ label, score }) => [label, score]));
}

function crossEntropy(id: string): CrossEntropyHead {
  const head = bundle.heads.get(id);
  assert.ok(head?.kind === "cross-entropy");
  return head;
}

function contrastive(): ContrastiveHead {
  const head = bundle.heads.get("contrastive");
  assert.ok(head?.kind === "contrastive");
  return head;
}

function assertNear(actual: number | undefined, expected: number): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${actual}: ${expected}`);
}

Deno.test("createClassifier() serves a grouped head, whose scores are the sums of the fine ones", async () => {
  const classifier = await openWith({ polarity: { ...crossEntropy("primary"), groups: GROUPS } });
  const fine = await scoresOf(classifier, "primary", "cross-entropy");
  const grouped = await scoresOf(classifier, "polarity", "cross-entropy");
  const sum = (...labels: string[]) => labels.reduce((s, label) => s + (fine.get(label) ?? NaN), 0);
  const [negative, positive] = [sum("anger", "fear", "sadness"), sum("joy", "love")];
  assertNear(grouped.get("negative"), negative / (negative + positive));
  assertNear(grouped.get("positive"), positive / (negative + positive));
  await classifier.close();
});

Deno.test("createClassifier() serves heads of unit input", async () => {
  const head = crossEntropy("primary");
  const classifier = await openWith({ primary: { ...head, input: "unit" } });
  const { embedding } = await classifier.embed(small);
  const length = Math.hypot(...embedding);
  // Dividing the embedding is the same as dividing the first kernel, which a plain head can do.
  const divided = { ...head.img_fc1, kernel: head.img_fc1.kernel.map((w) => w / length) };
  const plain = await openWith({ primary: { ...head, img_fc1: divided } });
  const expected = await scoresOf(plain, "primary", "cross-entropy");
  const scores = await scoresOf(classifier, "primary", "cross-entropy");
  for (const [label, score] of expected) {
    assert.ok(Math.abs((scores.get(label) ?? NaN) - score) < 1e-6, label);
  }
  await classifier.close();
  await plain.close();
});

Deno.test("createClassifier() serves a blended head: from zero-shot at 0 to the head alone at 1", async () => {
  const cosines = (scores: ReadonlyMap<string, number>, temperature: number) => {
    const logs = [...scores].sort(([a], [b]) => a < b ? -1 : 1)
      .map(([, score]) => temperature * Math.log(score));
    return logs.map((z) => z - logs[0]); // less a constant, which a softmax does not keep
  };
  const plain = await openWith({});
  const none = await openWith({ contrastive: { ...contrastive(), blend: 0 } });
  const all = await openWith({ contrastive: { ...contrastive(), blend: 1 } });
  const zeroShot = cosines(await scoresOf(plain, "mikels", "zero-shot"), 0.01);
  const alone = cosines(await scoresOf(plain, "mikels", "contrastive"), 0.075);
  const blended = [none, all].map(async (classifier) =>
    cosines(await scoresOf(classifier, "mikels", "contrastive"), 0.075)
  );
  const [atNone, atAll] = await Promise.all(blended);
  zeroShot.forEach((z, k) => assertNear(atNone[k], z));
  alone.forEach((z, k) => assertNear(atAll[k], z));
  assert.notDeepEqual(atNone, atAll);
  for (const classifier of [plain, none, all]) await classifier.close();
});

Deno.test("createClassifier() does not use a grouped head with another number of labels", async () => {
  const groups = Int32Array.of(0, 0, 1, 1, 0, 2);
  const classifier = await openWith({ polarity: { ...crossEntropy("primary"), groups } });
  const polarity = classifier.model.taxonomies.find(({ id }) => id === "polarity");
  assert.equal(polarity?.methods[0].available, false);
  assert.equal(polarity?.methods[0].fault, "invalid");
  assert.match(classifier.model.faults[0].detail, /heads\/polarity does not fit .* has 2 labels/);
  await classifier.close();
});
