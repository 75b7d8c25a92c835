import {
  ClipEError,
  describeFile,
  type Manifest,
  MANIFEST_PATH,
  writeHead,
  writeManifest,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { type ClassifierOptions, createClassifier } from "../../edge/classifier.ts";
import { PACKAGED_MODULES } from "../../edge/decode/decoders.ts";
import { readPicture } from "../golden_file.ts";
import { type BundleFiles, makeSyntheticBundle } from "../synthetic_bundle.ts";

const bundle = await makeSyntheticBundle();
const small = await readPicture("small.jpg");

/** Opens a bundle from memory. */
function open(
  files: BundleFiles = bundle.files,
  options: Omit<ClassifierOptions, "bundle"> = {},
) {
  return createClassifier({
    ...options,
    bundle: { read: (path) => Promise.resolve(files.get(path)) },
  });
}

/** A copy of the bundle with some files more, and a manifest that was changed. */
function changed(
  change: (manifest: Manifest) => void,
  files: Record<string, Uint8Array<ArrayBuffer>> = {},
): BundleFiles {
  const manifest = structuredClone(bundle.manifest);
  change(manifest);
  return new Map([
    ...bundle.files,
    ...Object.entries(files),
    [MANIFEST_PATH, writeManifest(manifest)],
  ]);
}

Deno.test("createClassifier() classifies and embeds, and says how long each part took", async () => {
  const classifier = await open();
  const { image, predictions, timings } = await classifier.classify(small);
  assert.deepEqual(image, { width: 97, height: 61 });
  assert.deepEqual(
    predictions.map(({ taxonomy }) => taxonomy),
    ["polarity", "primary", "secondary", "mikels", "quadrant"],
  );
  const { embedding, image: size } = await classifier.embed(small);
  assert.ok(embedding instanceof Float32Array);
  assert.equal(embedding.length, 512);
  assert.deepEqual(size, image);
  assert.deepEqual(Object.keys(timings), ["decode", "preprocess", "encode", "score"]);
  assert.ok(Object.values(timings).every((ms) => ms >= 0));
  assert.ok(timings.decode > 0 && timings.encode > 0);
  await classifier.close();
});

Deno.test("createClassifier() leaves the web's Worker in its place", async () => {
  // The bundle of this file has started ONNX Runtime already, as has this one.
  const classifier = await open();
  const source = "self.onmessage = ({ data }) => self.postMessage(data + 1)";
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, {
    type: "module",
  });
  const answer = new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.postMessage(1);
  assert.equal(await answer, 2);
  worker.terminate();
  await classifier.close();
});

Deno.test("createClassifier() leaves the picture's bytes alone", async () => {
  const classifier = await open();
  const bytes = small.slice();
  await classifier.classify(bytes);
  assert.deepEqual(bytes, small);
  await classifier.close();
});

Deno.test("createClassifier() answers pictures given at once, good and bad, each its own", async () => {
  const classifier = await open();
  const names = ["small.jpg", "bad/corrupt.png", "rgba.png", "bad/notes.txt", "lossy.webp"];
  const alone: unknown[] = [];
  for (const name of names) {
    alone.push(
      await classifier.embed(await readPicture(name)).then(
        ({ embedding }) => embedding,
        ({ code }) => code,
      ),
    );
  }
  const together = await Promise.allSettled(
    names.map(async (name) => classifier.embed(await readPicture(name))),
  );
  assert.deepEqual(
    together.map((o) => o.status === "fulfilled" ? o.value.embedding : o.reason.code),
    alone,
  );
  assert.deepEqual([alone[1], alone[3]], ["undecodable", "unsupported-type"]);
  await classifier.close();
});

Deno.test("createClassifier() refuses a wrong question before it looks at the picture", async () => {
  const classifier = await open();
  const garbage = Uint8Array.of(1, 2, 3);
  await assert.rejects(classifier.classify(garbage, { taxonomies: ["mood"] }), {
    code: "unknown-taxonomy",
  });
  await assert.rejects(classifier.classify(garbage, { method: "magic" }), {
    code: "unknown-method",
  });
  await assert.rejects(classifier.classify(garbage, { top: 0 }), { code: "invalid-parameter" });
  await classifier.close();
});

Deno.test("createClassifier() refuses a picture of more than maxPixels, and none of as many", async () => {
  const tight = await open(bundle.files, { maxPixels: 97 * 61 - 1 });
  await assert.rejects(tight.classify(small), { code: "too-many-pixels" });
  await tight.close();
  const fitting = await open(bundle.files, { maxPixels: 97 * 61 });
  await fitting.classify(small);
  await fitting.close();
});

Deno.test("createClassifier() loads a decoder when the first picture of its type comes", async () => {
  const loaded: string[] = [];
  const note = (type: "jpeg" | "png" | "webp") => () => {
    loaded.push(type);
    return PACKAGED_MODULES[type]();
  };
  const classifier = await open(bundle.files, {
    decoders: { jpeg: note("jpeg"), png: note("png"), webp: note("webp") },
  });
  assert.deepEqual(loaded, []);
  await classifier.classify(await readPicture("rgba.png"));
  await classifier.classify(await readPicture("grey.png"));
  await classifier.classify(small);
  assert.deepEqual(loaded, ["png", "jpeg"]);
  await classifier.close();
});

Deno.test("createClassifier() tries a decoder again that did not load", async () => {
  let failures = 1;
  const classifier = await open(bundle.files, {
    decoders: {
      ...PACKAGED_MODULES,
      jpeg: () => failures-- > 0 ? Promise.reject(new Error("no net")) : PACKAGED_MODULES.jpeg(),
    },
  });
  await assert.rejects(classifier.classify(small), { code: "internal" }, "not the picture's fault");
  const { image } = await classifier.classify(small);
  assert.deepEqual(image, { width: 97, height: 61 });
  await classifier.close();
});

Deno.test("createClassifier() takes the next encoder when one is damaged, and says so", async () => {
  const [encoder] = bundle.manifest.encoders;
  const bytes = small;
  const file = await describeFile("better.onnx", bytes);
  const damaged = await open(
    changed(({ encoders }) => encoders.unshift({ ...encoder, file }), { "better.onnx": bytes }),
  );
  const { model } = damaged;
  assert.equal(model.encoder.file, "encoder.onnx");
  assert.deepEqual(
    model.faults.map(({ part, fault }) => [part, fault]),
    [["encoders/better.onnx", "invalid"]],
  );
  const whole = await open();
  assert.deepEqual(
    (await damaged.embed(small)).embedding,
    (await whole.embed(small)).embedding,
  );
  await damaged.close();
  await whole.close();
});

Deno.test("createClassifier() passes over encoders for other backends without a word", async () => {
  const [encoder] = bundle.manifest.encoders;
  const classifier = await open(
    changed(({ encoders }) => encoders.unshift({ ...encoder, backends: ["webgpu"] })),
  );
  assert.deepEqual(classifier.model.faults, []);
  await classifier.close();
  await assert.rejects(
    open(changed(({ encoders }) => encoders[0].backends = ["webgpu", "native"])),
    { code: "invalid-bundle", message: /none of its encoders is for the backend wasm/ },
  );
});

Deno.test("createClassifier() takes a bundle with the digest that is pinned, and no other", async () => {
  const classifier = await open();
  const digest = classifier.model.bundle;
  await classifier.close();
  const pinned = await open(bundle.files, { digest });
  assert.equal(pinned.model.bundle, digest);
  await pinned.close();
  await assert.rejects(
    open(changed((manifest) => manifest.license = "another"), { digest }),
    { name: "ClipEError", code: "invalid-bundle", message: /digest/ },
  );
});

Deno.test("createClassifier() ignores methods that it does not know", async () => {
  const classifier = await open(
    changed(({ taxonomies }) =>
      taxonomies[0].methods.unshift({ method: "oracle", temperature: 1 })
    ),
  );
  const [polarity] = classifier.model.taxonomies;
  assert.deepEqual(
    polarity.methods.map(({ method }) => method),
    ["cross-entropy", "contrastive", "zero-shot"],
  );
  const { predictions } = await classifier.classify(small);
  assert.equal(predictions[0].method, "cross-entropy");
  assert.equal(predictions[0].degraded, undefined);
  await assert.rejects(classifier.classify(small, { method: "oracle" }), {
    code: "unknown-method",
  });
  await classifier.close();
});

Deno.test("createClassifier() does not use a whole head that does not fit, and says so everywhere", async () => {
  // The six-emotion head as the head of the 25 emotions: its file is as the manifest says.
  const classifier = await open(
    changed(({ taxonomies }) => taxonomies[2].methods[0].head = "primary"),
  );
  const { predictions } = await classifier.classify(small);
  const secondary = predictions.find(({ taxonomy }) => taxonomy === "secondary");
  assert.deepEqual([secondary?.method, secondary?.degraded], ["contrastive", true]);
  const primary = predictions.find(({ taxonomy }) => taxonomy === "primary");
  assert.deepEqual([primary?.method, primary?.degraded], ["cross-entropy", undefined]);
  const [fault, ...others] = classifier.model.faults;
  assert.deepEqual([fault.fault, others], ["invalid", []]);
  assert.match(fault.detail, /heads\/primary.*secondary.*25/);
  await assert.rejects(
    classifier.classify(small, { taxonomies: ["secondary"], method: "cross-entropy" }),
    { code: "method-unavailable" },
  );
  await classifier.close();
});

Deno.test("createClassifier() does not use a head of the wrong kind", async () => {
  const head = bundle.heads.get("contrastive");
  assert.ok(head);
  const bytes = writeHead(head);
  const file = await describeFile("heads/polarity.safetensors", bytes);
  const classifier = await open(changed(({ heads, taxonomies }) => {
    const polarity = heads.find(({ id }) => id === "polarity");
    assert.ok(polarity);
    Object.assign(polarity, { kind: "contrastive", file });
    taxonomies.splice(1);
  }, { "heads/polarity.safetensors": bytes }));
  const { predictions: [{ method, degraded }] } = await classifier.classify(small);
  assert.deepEqual([method, degraded], ["contrastive", true]);
  assert.equal(classifier.model.faults.length, 1);
  await classifier.close();
});

Deno.test("createClassifier() hands on what its source throws", async () => {
  const broken = createClassifier({ bundle: { read: () => Promise.reject(new Error("no net")) } });
  await assert.rejects(broken, { message: "no net" });
  const empty = createClassifier({ bundle: { read: () => Promise.resolve(undefined) } });
  await assert.rejects(empty, (error) => error instanceof ClipEError);
});
