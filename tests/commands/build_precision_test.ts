/**
 * `deno task build` makes the variants that backends want, measures what they cost, and serves them.
 */

import { createClassifier } from "@clip-e/edge";
import { folderSource } from "@clip-e/edge/deno";
import { type Manifest, TAXONOMIES } from "@clip-e/shared";
import assert from "node:assert/strict";
import { buildPage } from "../e2e/build_page.ts";
import { CLIP_SHAPES, makeTextTower, makeVisionTower } from "../clip_towers.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticClip } from "../synthetic_clip.ts";
import { ROOT, runTask } from "../e2e/task_command.ts";

const folder = await Deno.makeTempDir({ prefix: "clip_e_precision_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** Wide enough that weights are most of the file. */
const SHAPE = {
  vision: { hidden: 128, layers: 4, heads: 2, mlp: 512, patch: 8, image: 32 },
  text: { ...CLIP_SHAPES.tiny.text, vocab: 514, context: 77 },
  projection: 32,
};

/** A model in the hub's layout, whose image tower is a transformer. */
async function writeModel(to: string, vision: Uint8Array<ArrayBuffer>): Promise<void> {
  const { files } = makeSyntheticClip({ size: SHAPE.projection });
  await Deno.mkdir(`${to}/onnx`, { recursive: true });
  const text = makeTextTower(SHAPE).model;
  const all = { ...files, "onnx/vision_model.onnx": vision, "onnx/text_model.onnx": text };
  for (const [path, bytes] of Object.entries(all)) await Deno.writeFile(`${to}/${path}`, bytes);
}

async function build(model: string, out: string, ...args: string[]) {
  const run = await runTask("build", [`--model=${model}`, `--out=${out}`, "--json", ...args]);
  return run;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** An encoder, as `--json` has it. */
type Built = Manifest["encoders"][number] & {
  readonly fidelity?: { readonly bytes: { readonly ratio: number } };
  readonly search?: { readonly nodes: readonly { name: string; isKept: boolean }[] };
};

Deno.test("build makes an int8 and a float16 encoder by default, near the float one, and the first serves", async () => {
  const model = `${folder}/model`;
  await writeModel(model, makeVisionTower(SHAPE).model);
  // Prints the summary for people.
  const both = await runTask("build", [
    ...[`--model=${model}`, `--out=${folder}/both`],
    ...["--precision=int8", "--precision=float32"],
  ]);
  assert.equal(both.code, 0, both.stderr);
  assert.match(
    both.stdout,
    /^Encoder +int8 for wasm, native: 0\.\d MB, 2\d\.\d % of the float file$/m,
  );
  assert.match(both.stdout, /^ +cosine to float: min 0\.99\d+, median 0\.99\d+, on 35 pictures$/m);
  assert.match(
    both.stdout,
    /^ +same best label: polarity [\d.]+ %, primary .*, quadrant [\d.]+ %$/m,
  );
  assert.match(both.stdout, /^ +time against float: .*wasm \d+\.\d\d$/m);
  assert.match(both.stdout, /^Encoder +float32 for wasm, native, webgpu: \d\.\d MB$/m);
  const run = await build(model, `${folder}/int8`);
  assert.equal(run.code, 0, run.stderr);
  const { encoders }: { encoders: Built[] } = JSON.parse(run.stdout);
  assert.deepEqual(encoders.map(({ precision, backends }) => [precision, backends]), [
    ["int8", ["wasm", "native"]],
    ["float16", ["webgpu"]],
  ]);
  const [{ parity, file, fidelity }, half] = encoders;
  assert.ok(parity && parity.cosineMin > 0.99 && parity.cosineMin < 1, JSON.stringify(parity));
  assert.ok(parity.cosineMedian >= parity.cosineMin);
  assert.ok(parity.tolerance > 1e-3 && parity.tolerance < 0.2, `tolerance ${parity.tolerance}`);
  const { size } = await Deno.stat(`${model}/onnx/vision_model.onnx`);
  assert.ok(file.bytes < 0.4 * size, `${file.bytes} of ${size} bytes`);
  assert.equal(fidelity?.bytes.ratio, file.bytes / size);
  assert.ok(half.parity && half.parity.cosineMin > 0.99999, `cosine ${half.parity?.cosineMin}`);
  for (const { agreement = [], latency = [], pictures, kept } of [parity, half.parity]) {
    assert.equal(pictures, 35, "all of the project's own");
    assert.deepEqual(agreement.map(({ taxonomy }) => taxonomy), TAXONOMIES.map(({ id }) => id));
    // Which pictures agree is left to chance by prompts of noise; most do.
    for (const { share } of agreement) {
      assert.ok(share > 0.5 && share <= 1 && Number.isInteger(Math.round(share * 35 * 1e9) / 1e9));
    }
    assert.ok(latency.some(({ backend }) => backend === "wasm"));
    for (const { ratio } of latency) assert.equal(ratio, Number(ratio.toFixed(2)));
    assert.equal(kept, undefined, "nothing had to stay in floats");
  }
  const { encoders: written }: Manifest = JSON.parse(
    await Deno.readTextFile(`${folder}/int8/manifest.json`),
  );
  assert.deepEqual(written.map(({ parity }) => parity), [parity, half.parity]);
  const card = await Deno.readTextFile(`${folder}/int8/README.md`);
  assert.ok(card.includes(parity.cosineMin.toFixed(5)), "the card says what it cost");

  const int8 = await createClassifier({ bundle: folderSource(`${folder}/int8`) });
  assert.equal(int8.model.encoder.precision, "int8");
  assert.deepEqual(int8.model.faults, []);
  const picture = await readPicture("storm.jpg");
  const { embedding } = await int8.embed(picture.slice());
  await Deno.remove(`${folder}/both/int8/encoder.onnx`);
  const float = await createClassifier({ bundle: folderSource(`${folder}/both`) });
  assert.equal(float.model.encoder.precision, "float32", "the next variant serves");
  const expected = await float.embed(picture.slice());
  const near = cosine(embedding, expected.embedding);
  assert.ok(near > 0.99, `cosine ${near}`);
  await int8.close();
  await float.close();
});

Deno.test("build keeps layers in floats that would hurt, and meets the target", async () => {
  const outliers = { layers: [1], channels: 4, factor: 30 };
  const model = `${folder}/outliers`;
  await writeModel(model, makeVisionTower(SHAPE, { outliers }).model);
  const int8 = "--precision=int8";
  const run = await build(model, `${folder}/kept`, int8, "--target-cosine=0.9999");
  assert.equal(run.code, 0, run.stderr);
  const { encoders: [{ precision, parity, file, search }] } = JSON.parse(run.stdout);
  assert.equal(precision, "int8");
  const kept = search.nodes.filter(({ isKept }: { isKept: boolean }) => isKept);
  assert.deepEqual(parity.kept.nodes, kept.map(({ name }: { name: string }) => name));
  assert.ok(parity.kept.nodes.length > 0);
  assert.ok(parity.kept.share > 0 && parity.kept.share < 1, `share ${parity.kept.share}`);
  assert.ok(parity.cosineMin >= 0.9999, `cosine ${parity.cosineMin}`);
  const plain = await build(model, `${folder}/plain`, int8, "--target-cosine=0");
  assert.equal(plain.code, 0, plain.stderr);
  const { encoders: [all] } = JSON.parse(plain.stdout);
  assert.ok(all.parity.cosineMin < 0.9999, `without: ${all.parity.cosineMin}`);
  assert.ok(all.file.bytes < file.bytes, "something was kept");
});

Deno.test("build --with-text makes an int8 text encoder that is near the float one", async () => {
  const model = `${folder}/model`;
  const out = `${folder}/with_text`;
  const int8 = ["--with-text", "--precision=int8"];
  const run = await build(model, out, ...int8, "--target-cosine=0.9");
  assert.equal(run.code, 0, run.stderr);
  const { textEncoder }: Manifest = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
  assert.ok(textEncoder?.parity, "it says what it cost");
  assert.deepEqual(JSON.parse(run.stdout).textEncoder, textEncoder);
  assert.match(
    await Deno.readTextFile(`${out}/README.md`),
    /^The text encoder, .* over 24 texts, /m,
  );
  assert.ok(textEncoder.parity.cosineMin > 0.9, JSON.stringify(textEncoder.parity));
  const float = await Deno.stat(`${model}/onnx/text_model.onnx`);
  assert.ok(textEncoder.file.bytes < 0.8 * float.size, `${textEncoder.file.bytes} bytes`);
  const labels = ["a storm", "a sunny day"];
  const classifier = await createClassifier({ bundle: folderSource(out) });
  const { predictions } = await classifier.classify(await readPicture("storm.jpg"), { labels });
  assert.equal(predictions[0].scores.length, 2);
  await classifier.close();

  const path = `${out}/text/encoder.onnx`;
  await Deno.writeFile(
    path,
    (await Deno.readFile(path)).map((byte, i) => i === 99 ? byte ^ 1 : byte),
  );
  const assets = await runTask("worker:assets", ["--bundle", out]);
  assert.equal(assets.code, 1, "a Worker gets no damaged text encoder");
  assert.match(assets.stderr, /text\/encoder\.onnx has the SHA-256/);

  const near = await build(model, `${folder}/float_text`, ...int8, "--target-cosine=0.9999");
  assert.equal(near.code, 0, near.stderr);
  assert.match(near.stderr, /the float one is taken/);
  const copied = await Deno.stat(`${folder}/float_text/text/encoder.onnx`);
  assert.equal(copied.size, float.size);
});

Deno.test("worker:assets leaves out what neither a Worker nor a browser runs, and says how much that is", async () => {
  const bundle = `${folder}/int8`;
  const path = `${bundle}/manifest.json`;
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(path));
  const [whole, half] = manifest.encoders;
  const encoders = [whole, { ...half, backends: ["native"] }];
  await Deno.writeTextFile(path, JSON.stringify({ ...manifest, encoders }));
  // What is not copied is not even looked at.
  await Deno.remove(`${bundle}/float16/encoder.onnx`);
  await buildPage();
  const { code, stdout, stderr } = await runTask("worker:assets", ["--bundle", bundle]);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^Left out float16\/encoder\.onnx \(float16, for native\): \d\.\d MB\nLaid out /,
  );
  const assets = new URL(".cache/worker_assets/bundle/", ROOT);
  const read = (path: string) => Deno.readFile(new URL(path, assets));
  assert.deepEqual(
    await read("int8/encoder.onnx"),
    await Deno.readFile(`${bundle}/int8/encoder.onnx`),
  );
  await assert.rejects(read("float16/encoder.onnx"), Deno.errors.NotFound);
  const classifier = await createClassifier({ bundle: folderSource(assets.pathname) });
  assert.equal(classifier.model.encoder.precision, "int8");
  assert.deepEqual(classifier.model.faults, []);
  await classifier.close();
});

Deno.test("worker:assets refuses a bundle without an encoder for WebAssembly", async () => {
  const bundle = `${folder}/int8`;
  const path = `${bundle}/manifest.json`;
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(path));
  const [, half] = manifest.encoders;
  await Deno.writeTextFile(path, JSON.stringify({ ...manifest, encoders: [half] }));
  const { code, stdout, stderr } = await runTask("worker:assets", ["--bundle", bundle]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /^error: Cannot serve int8 in a Worker, .* none .* for wasm\. .*--precision int8\n$/,
  );
});

Deno.test("build takes an encoder that is quantised already as it is", async () => {
  const model = `${folder}/quantised`;
  const int8 = await Deno.readFile(`${folder}/int8/int8/encoder.onnx`);
  await writeModel(model, int8);
  const run = await build(model, `${folder}/as_it_is`);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /int8 already/);
  const { encoders: [{ precision, parity }] } = JSON.parse(run.stdout);
  assert.deepEqual([precision, parity], ["int8", undefined]);
  const classifier = await createClassifier({ bundle: folderSource(`${folder}/as_it_is`) });
  await classifier.close();
});

Deno.test("build refuses a precision that it does not know before it fetches anything", async () => {
  const run = await build("no/model", `${folder}/none`, "--precision=int3");
  assert.equal(run.code, 2);
  assert.match(run.stderr, /--precision must be int8, float16, float32, got int3/);
});
