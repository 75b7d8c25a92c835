/**
 * Training through the command line, as a user does it, on pictures that the test draws: warm ones are `positive`, cold
 * ones `negative`, in groups of one hue.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { createClassifier } from "@clip-e/edge";
import { folderSource } from "@clip-e/edge/deno";
import { CLIP_PREPROCESSING } from "@clip-e/shared";
import { buildStatisticsEncoder } from "../../trainer/encoder/statistics_encoder.ts";
import { ROOT, runTask } from "../e2e/task_command.ts";

const SIZE = 64;

interface Drawn {
  readonly folder: string;
  readonly encoder: string;
}

/** Draws 48 pictures in 12 groups, a CSV of them, and an encoder. */
async function draw(): Promise<Drawn> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_train_" });
  const lines = ["file,label,hue"];
  for (let i = 0; i < 48; i++) {
    const group = i % 12;
    const isWarm = group % 2 === 0;
    const hue = (isWarm ? 0 : 200) + group * 5;
    const lightness = 30 + (i * 7) % 40;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="70">
      <rect width="90" height="70" fill="hsl(${hue}, 70%, ${lightness}%)"/>
      <circle cx="${20 + i}" cy="35" r="${8 + i % 9}" fill="hsl(${hue}, 50%, ${90 - lightness}%)"/>
    </svg>`;
    const name = `${String(i).padStart(2, "0")}.jpg`;
    await Deno.writeFile(
      `${folder}/${name}`,
      await sharp(new TextEncoder().encode(svg)).jpeg().toBuffer(),
    );
    lines.push(`${name},${isWarm ? "positive" : "negative"},h${group}`);
  }
  await Deno.writeTextFile(`${folder}/labels.csv`, lines.join("\n") + "\n");
  await Deno.mkdir(`${folder}/encoder`);
  const { mean, std } = CLIP_PREPROCESSING;
  const encoder = `${folder}/encoder/encoder.onnx`;
  await Deno.writeFile(encoder, buildStatisticsEncoder({ size: SIZE, mean, std }));
  await Deno.writeTextFile(
    `${folder}/encoder/preprocessor_config.json`,
    JSON.stringify({
      size: SIZE,
      crop_size: SIZE,
      resample: 3,
      image_mean: mean,
      image_std: std,
    }),
  );
  return { folder, encoder };
}

const { folder, encoder } = await draw();
const common = [
  `--data=csv:${folder}/labels.csv`,
  `--encoder=${encoder}`,
  "--group-by=hue",
  "--hidden=16",
  "--backend=wasm",
  "--plain",
  `--cache=${folder}/cache`,
];
const train = (...args: string[]) => runTask("train", [...common, ...args]);

async function readFolder(path: string, prefix = ""): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) Object.assign(files, await readFolder(`${path}/${name}`, `${prefix}${name}/`));
    else files[prefix + name] = (await Deno.readFile(`${path}/${name}`)).toHex();
  }
  return files;
}

Deno.test("train learns warm from cold and writes a bundle that the edge serves", async (t) => {
  const out = `${folder}/bundle`;
  const run = await train(
    "--taxonomy=polarity",
    `--out=${out}`,
    "--folds=3",
    "--json",
    `--predictions=${folder}/predictions.jsonl`,
  );
  assert.equal(run.code, 0, run.stderr);
  const report = JSON.parse(run.stdout);
  const [task] = report.experiment.tasks;
  const served = task.measurements.find(({ row }: { row: string }) => row === task.served);
  const [evaluation] = served.evaluations;

  await t.step("its report has every figure", () => {
    assert.equal(evaluation.count, 48);
    assert.ok(evaluation.accuracy > 0.9, `accuracy ${evaluation.accuracy}`);
    for (
      const figure of [
        "balancedAccuracy",
        "macroF1",
        "rocAuc",
        "expectedCalibrationError",
        "negativeLogLikelihood",
        "majority",
      ]
    ) assert.ok(Number.isFinite(evaluation[figure]), figure);
    assert.equal(evaluation.confusion.flat().reduce((a: number, b: number) => a + b), 48);
    assert.match(task.protocol, /3-fold cross-validation, grouped by hue/);
  });

  await t.step("the edge scores each picture as the trainer did, to 1e-5", async () => {
    const lines = (await Deno.readTextFile(`${folder}/predictions.jsonl`)).trim().split("\n");
    assert.equal(lines.length, 48);
    const classifier = await createClassifier({ bundle: folderSource(out) });
    for (const line of lines) {
      const { file, scores, heldOut } = JSON.parse(line);
      assert.ok(heldOut.positive >= 0 && heldOut.positive <= 1);
      const { predictions: [{ method, scores: served }] } = await classifier.classify(
        await Deno.readFile(`${folder}/${file}`),
      );
      assert.equal(method, "cross-entropy");
      for (const { label, score } of served) {
        assert.ok(Math.abs(score - scores[label]) < 1e-5, `${file} ${label}: ${score}`);
      }
    }
    await classifier.close();
  });

  await t.step("the model card tells the figures and the intended use", async () => {
    const card = await Deno.readTextFile(`${out}/README.md`);
    assert.ok(card.includes(evaluation.accuracy.toFixed(3)));
    assert.match(card, /\*\*evokes\*\*/);
  });

  await t.step("a second head goes into the same bundle, and the first stays", async () => {
    const own = (await Deno.readTextFile(`${folder}/labels.csv`))
      .replaceAll("positive", "warm").replaceAll("negative", "cold");
    await Deno.writeTextFile(`${folder}/own.csv`, own);
    const second = await runTask("train", [
      ...common.slice(1),
      `--data=csv:${folder}/own.csv`,
      "--taxonomy=temperature",
      `--out=${out}`,
    ]);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /a test split of/);
    const manifest = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
    assert.deepEqual(
      manifest.taxonomies.map(({ id }: { id: string }) => id),
      ["polarity", "temperature"],
    );
    const classified = await runTask("classify", ["--bundle", out, "--json", `${folder}/00.jpg`]);
    assert.equal(classified.code, 0, classified.stderr);
    assert.deepEqual(
      JSON.parse(classified.stdout).predictions.map((p: { taxonomy: string }) => p.taxonomy),
      ["polarity", "temperature"],
    );
  });

  await t.step("another encoder's head does not go into it", async () => {
    const other = `${folder}/other`;
    await Deno.mkdir(other);
    const { mean, std } = CLIP_PREPROCESSING;
    await Deno.writeFile(
      `${other}/encoder.onnx`,
      buildStatisticsEncoder({ size: 32, mean, std }),
    );
    await Deno.writeTextFile(
      `${other}/preprocessor_config.json`,
      JSON.stringify({ size: 32, image_mean: mean, image_std: std }),
    );
    const run = await train(
      `--encoder=${other}/encoder.onnx`,
      "--taxonomy=polarity",
      `--out=${out}`,
    );
    assert.equal(run.code, 2, "an option given twice is an error");
    const before = await readFolder(out);
    const refused = await runTask("train", [
      ...common.filter((arg) => !arg.startsWith("--encoder")),
      `--encoder=${other}/encoder.onnx`,
      "--taxonomy=polarity",
      `--out=${out}`,
    ]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /another encoder/);
    assert.deepEqual(await readFolder(out), before);
  });
});

Deno.test("train gives the same bytes for the same seed, and others for another", async () => {
  const outs = [`${folder}/same/a/b`, `${folder}/same/c/b`, `${folder}/same/d/b`];
  for (const [i, out] of outs.entries()) {
    const run = await train("--taxonomy=polarity", `--out=${out}`, `--seed=${i === 2 ? 8 : 7}`);
    assert.equal(run.code, 0, run.stderr);
  }
  const [first, second, third] = await Promise.all(outs.map((out) => readFolder(out)));
  assert.deepEqual(first, second);
  const head = "heads/cross-entropy-polarity.safetensors";
  assert.notEqual(first[head], third[head]);
});

Deno.test("train leaves out pictures that cannot be read, and names them", async () => {
  const table = await Deno.readTextFile(`${folder}/labels.csv`);
  await Deno.writeFile(`${folder}/broken.jpg`, new Uint8Array([0xff, 0xd8, 0xff, 0xe0]));
  await Deno.writeTextFile(
    `${folder}/flawed.csv`,
    `${table}broken.jpg,positive,h0\nmissing.jpg,negative,h1\n`,
  );
  const run = await runTask("train", [
    ...common.slice(1),
    `--data=csv:${folder}/flawed.csv`,
    "--taxonomy=polarity",
    `--out=${folder}/flawed`,
    "--json",
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /Left out broken\.jpg: The JPEG ends before its data does/);
  assert.match(run.stderr, /Left out missing\.jpg: .* there is no such file/);
  assert.equal(JSON.parse(run.stdout).data.unreadable.length, 2);
  assert.equal(JSON.parse(run.stdout).data.cached, 48, "every embedding was known");
});

const MISTAKES: readonly (readonly [string, string[], number, RegExp])[] = [
  ["no data", ["--encoder=e", "--taxonomy=polarity", "--out=o"], 2, /--data is needed/],
  ["an unknown option", ["--dta=x"], 2, /no option --dta/],
  ["a number that is none", [...common, "--folds=two"], 2, /--folds must be a whole number/],
  [
    "an encoder that is not there",
    [`--data=csv:${folder}/labels.csv`, "--encoder=/none.onnx", "--taxonomy=polarity", "--out=o"],
    1,
    /Cannot read the encoder \/none\.onnx/,
  ],
  [
    "labels of another taxonomy",
    [...common, "--taxonomy=primary", `--out=${folder}/x`],
    1,
    /as primary: none of its labels/,
  ],
  [
    "more folds than groups",
    [...common, "--taxonomy=polarity", `--out=${folder}/x`, "--folds=13"],
    1,
    /Cannot split the pictures/,
  ],
  [
    "a folder with other files",
    [...common, "--taxonomy=polarity", `--out=${folder}`],
    1,
    /holds other files/,
  ],
];

for (const [mistake, args, code, message] of MISTAKES) {
  Deno.test(`train says in one line what is wrong with ${mistake}`, async () => {
    const run = await runTask("train", args);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, message);
    assert.ok(!run.stderr.includes("    at "), "a stack trace");
  });
}

/** Mistakes that are found before the encoder is looked for: there is none. */
const EARLY: readonly (readonly [string, string[], number, RegExp])[] = [
  ["a bad name", ["--name=My Bundle", "--out=x"], 2, /--name must be lower-case letters/],
  ["a folder whose name cannot be a bundle's", [`--out=${folder}/Übung`], 2, /"Übung".*a --name/],
  ["a hidden folder", [`--out=${folder}/.hidden`], 2, /"\.hidden".*a --name/],
  ["too large a seed", ["--out=x", "--seed=2147483648"], 2, /--seed must be at most 2147483647/],
  [
    "predictions in no folder",
    [`--out=${folder}/x`, `--predictions=${folder}/none/p.jsonl`],
    1,
    /Cannot write the predictions .*none\/p\.jsonl: there is no folder .*none\. Make it first/,
  ],
  [
    "predictions that are a folder",
    [`--out=${folder}/x`, `--predictions=${folder}`],
    1,
    /Cannot write the predictions .*: it is a folder/,
  ],
];

for (const [mistake, args, code, message] of EARLY) {
  Deno.test(`train says before any work what is wrong with ${mistake}`, async () => {
    const run = await runTask("train", [
      `--data=csv:${folder}/labels.csv`,
      "--encoder=/none.onnx",
      "--taxonomy=polarity",
      ...args,
    ]);
    assert.match(run.stderr, message);
    assert.equal(run.code, code, run.stderr);
    assert.ok(!run.stderr.includes("    at "), "a stack trace");
  });
}

Deno.test("train says which preprocessing an encoder of another size was run with", async () => {
  const bare = `${folder}/bare`;
  await Deno.mkdir(bare);
  await Deno.copyFile(encoder, `${bare}/encoder.onnx`);
  const run = await runTask("train", [
    `--data=csv:${folder}/labels.csv`,
    `--encoder=${bare}/encoder.onnx`,
    "--taxonomy=polarity",
    `--out=${folder}/x`,
  ]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /^Preprocessing: CLIP's own, as there is no preprocessor_config\.json/);
  assert.match(run.stderr, /error: Cannot run the encoder .*bare\/encoder\.onnx on .* 224 x 224/);
  assert.ok(!run.stderr.includes("    at "), "a stack trace");
});

Deno.test("train keeps what a bundle says of itself, and refuses to be told otherwise", async () => {
  const out = `${folder}/kept`;
  const begun = await train(
    "--taxonomy=polarity",
    `--out=${out}`,
    "--epochs=1",
    "--name=kept-name",
  );
  assert.equal(begun.code, 0, begun.stderr);
  const manifest = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
  assert.equal(manifest.license, "Not stated.");
  await Deno.writeTextFile(`${out}/notes.txt`, "mine");
  const before = await readFolder(out);
  const refused = await train("--taxonomy=polarity", `--out=${out}`, "--license=CC0");
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /--license is "CC0", and the bundle's is "Not stated\."/);
  assert.deepEqual(await readFolder(out), before);
  const again = await train("--taxonomy=polarity", `--out=${out}`, "--epochs=1");
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(await readFolder(out), before, "the same bytes, and the user's own file");
});

Deno.test("train takes paths from the folder that its task is called in", async () => {
  const here = `${folder}/elsewhere`;
  await Deno.mkdir(here);
  await Deno.writeTextFile(`${here}/about.md`, "From elsewhere.");
  const { INIT_CWD: _, ...env } = Deno.env.toObject();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ["task", "--config", fileURLToPath(new URL("deno.json", ROOT)), "train"],
      ["--data=csv:../labels.csv", "--encoder=../encoder/encoder.onnx", "--taxonomy=polarity"],
      ["--out=made", "--predictions=p.jsonl", "--about=about.md", "--epochs=1", "--hidden=16"],
      [`--cache=${folder}/cache`],
    ].flat(),
    cwd: here,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const manifest = JSON.parse(await Deno.readTextFile(`${here}/made/manifest.json`));
  assert.deepEqual([manifest.name, manifest.about], ["made", "From elsewhere."]);
  assert.equal((await Deno.readTextFile(`${here}/p.jsonl`)).trim().split("\n").length, 48);
});

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
