/**
 * The paper's experiment through the command line, small: a data set laid out as WEBEmo is, a bundle with prompts, heads for
 * 25, 6 and 2 labels beside zero-shot, another data set to measure on, and a report. Pictures are drawn: a label is a hue.
 */

import { createClassifier } from "@clip-e/edge";
import { folderSource } from "@clip-e/edge/deno";
import type { Manifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import sharp from "sharp";
import type { Experiment, TaskResult } from "../../trainer/evaluation/experiment.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { runTask, taskCommand } from "../e2e/task_command.ts";

const folder = await Deno.makeTempDir({ prefix: "clip_e_experiment_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** WEBEmo's own lists: its 25 labels, and the places of those that each of 6 and of 2 has. */
const SECONDARY = 25;
function parents(k: number) {
  const primary = Math.floor(6 * k / SECONDARY);
  return { primary, polarity: primary < 3 ? 0 : 1 };
}

async function drawPicture(path: string, k: number, i: number): Promise<void> {
  const hue = Math.round(360 * k / SECONDARY);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48">
    <rect width="64" height="48" fill="hsl(${hue}, ${60 + (i * 7) % 30}%, ${35 + (i * 11) % 30}%)"/>
    <circle cx="${8 + (i * 13) % 48}" cy="${8 + (i * 5) % 30}" r="${4 + i % 9}" fill="hsl(${
    (hue + 180) % 360
  }, 50%, ${30 + (i * 17) % 40}%)"/>
    <rect x="${(i * 29) % 50}" y="${(k * 7) % 36}" width="${
    6 + (i * 3) % 20
  }" height="7" fill="white"/>
  </svg>`;
  await Deno.writeFile(path, await sharp(new TextEncoder().encode(svg)).jpeg().toBuffer());
}

/** A data set as WEBEmo's lists describe it: `train25.txt`, `test6.txt` ... and the pictures. */
async function drawWebemo(to: string): Promise<void> {
  await Deno.mkdir(`${to}/images`, { recursive: true });
  for (const [split, each] of [["train", 6], ["test", 2]] as const) {
    const lists: Record<string, string[]> = { 25: [], 6: [], 2: [] };
    for (let n = 0; n < SECONDARY * each; n++) {
      const k = n % SECONDARY;
      const path = `images/${split}_${n}.jpg`;
      await drawPicture(`${to}/${path}`, k, n + (split === "test" ? 1000 : 0));
      lists[25].push(`${path} ${k}`);
      lists[6].push(`${path} ${parents(k).primary}`);
      lists[2].push(`${path} ${parents(k).polarity}`);
    }
    if (split === "test") {
      await Deno.writeFile(`${to}/images/cut.jpg`, new Uint8Array([0xff, 0xd8, 0xff, 0xe0]));
      lists[25].push("images/cut.jpg 3");
    }
    for (const [count, lines] of Object.entries(lists)) {
      await Deno.writeTextFile(`${to}/${split}${count}.txt`, lines.join("\n") + "\n");
    }
  }
}

/** A folder of pictures of two labels. */
async function drawPolarity(to: string): Promise<void> {
  for (const [place, label] of ["negative", "positive"].entries()) {
    await Deno.mkdir(`${to}/${label}`, { recursive: true });
    for (let i = 0; i < 8; i++) {
      const k = [...Array(SECONDARY).keys()].filter((k) => parents(k).polarity === place)[i];
      await drawPicture(`${to}/${label}/${i}.jpg`, k, 2000 + i);
    }
  }
}

await drawWebemo(`${folder}/webemo`);
await drawPolarity(`${folder}/elsewhere`);
await Deno.mkdir(`${folder}/clip`);
await writeBundleFiles((await makeSyntheticBundle()).files, new URL(`file://${folder}/clip/`));

const common = [
  `--data=webemo:${folder}/webemo`,
  `--bundle=${folder}/clip`,
  "--backend=wasm",
  "--device=wasm",
  `--cache=${folder}/cache`,
  "--hidden=16",
  "--members=1",
  // Drawn pictures look alike.
  "--keep-near-duplicates",
  "--json",
];

const rowsOf = ({ measurements }: TaskResult) => measurements.map(({ row }) => row);

async function readAll(path: string, prefix = ""): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) Object.assign(files, await readAll(`${path}/${name}`, `${prefix}${name}/`));
    else files[prefix + name] = (await Deno.readFile(`${path}/${name}`)).toHex();
  }
  return files;
}

Deno.test("train gives the paper's experiment: three label sets, its methods and more, in one table", async (t) => {
  const out = `${folder}/out`;
  const run = await runTask("train", [...common, "--epochs=8", `--out=${out}`, "--seeds=2"]);
  assert.equal(run.code, 0, run.stderr);
  const { experiment, served } = JSON.parse(run.stdout);
  const { tasks, datasets, curves }: Experiment = experiment;

  await t.step("every taxonomy has zero-shot, both heads, and what goes beyond the paper", () => {
    assert.deepEqual(tasks.map(({ taxonomy }) => taxonomy), ["secondary", "primary", "polarity"]);
    const everywhere = [
      ...["zero-shot", "cross-entropy", "cross-entropy, unit input"],
      ...["contrastive", "contrastive, unit input", "contrastive, residual adapter"],
    ];
    const summed = (id: string) => `cross-entropy, summed from ${id}`;
    const with_ = (more: string[]) => everywhere.toSpliced(3, 0, ...more);
    assert.deepEqual(rowsOf(tasks[0]), everywhere);
    assert.deepEqual(rowsOf(tasks[1]), with_([summed("secondary")]));
    assert.deepEqual(rowsOf(tasks[2]), with_([summed("secondary"), summed("primary")]));
    for (const { measurements } of tasks) {
      for (const { row, evaluations, intervals, validationAccuracy } of measurements) {
        assert.equal(evaluations.length, row === "zero-shot" ? 1 : 2, row);
        assert.equal(evaluations[0].count, 50, "its test part, less what cannot be read");
        const { low, high } = intervals.accuracy;
        assert.ok(low <= evaluations[0].accuracy && evaluations[0].accuracy <= high, row);
        assert.ok(validationAccuracy !== undefined && validationAccuracy >= 0, row);
      }
    }
    const [, head] = tasks[2].measurements;
    assert.ok(head.evaluations[0].accuracy > 0.6, "hues can be learnt");
  });

  await t.step("it names what cannot be read, and keeps every curve", () => {
    assert.deepEqual(datasets[0].unreadable.map(({ name }) => name), ["images/cut.jpg"]);
    // Three cross-entropy heads with either input, and three heads on prompts; two seeds.
    assert.equal(curves.length, 2 * (3 * 2 + 3));
    for (const { history } of curves) assert.ok(history.length >= 1 && history.length <= 8);
    assert.match(run.stderr, /Left out images\/cut\.jpg/);
  });

  await t.step("it says first what it is about to do", () => {
    const plan = run.stderr.slice(run.stderr.indexOf("Plan"));
    for (
      const words of ["webemo", "native|wasm", "18 heads", "test split, 51 pictures", "report"]
    ) {
      assert.match(plan, new RegExp(words));
    }
  });

  await t.step(
    "the best method of each taxonomy by validation serves, as the edge answers",
    async () => {
      const manifest: Manifest = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
      for (const task of tasks) {
        const entry = manifest.taxonomies.find(({ id }) => id === task.taxonomy);
        assert.ok(entry);
        const accuracies = entry.methods.map(({ figures }) => figures?.validationAccuracy ?? -1);
        assert.deepEqual(accuracies, accuracies.toSorted((a, b) => b - a), task.taxonomy);
        const best = Math.max(...task.measurements.map((m) => m.validationAccuracy ?? -1));
        assert.equal(accuracies[0], best, task.taxonomy);
        assert.deepEqual(
          served.find((s: { taxonomy: string }) => s.taxonomy === task.taxonomy).methods[0].row,
          task.served,
        );
      }
      const classifier = await createClassifier({ bundle: folderSource(out) });
      assert.deepEqual(classifier.model.faults, []);
      const picture = await Deno.readFile(`${folder}/webemo/images/test_7.jpg`);
      for (const method of ["cross-entropy", "contrastive", "zero-shot"] as const) {
        const { predictions } = await classifier.classify(picture.slice(), {
          taxonomies: ["secondary", "primary", "polarity"],
          method,
        });
        assert.deepEqual(predictions.map(({ scores }) => scores.length), [25, 6, 2], method);
      }
      await classifier.close();
    },
  );

  await t.step("the report is there for people and for programs", async () => {
    const html = await Deno.readTextFile(`${out}/report/report.html`);
    for (const words of ["residual adapter", "data:image/jpeg", "McNemar", "cut.jpg"]) {
      assert.ok(html.includes(words), words);
    }
    assert.ok((await Deno.readTextFile(`${out}/report/report.md`)).includes("| zero-shot |"));
    const kept: Experiment = JSON.parse(await Deno.readTextFile(`${out}/report/report.json`));
    assert.deepEqual(kept.tasks[1].measurements, tasks[1].measurements);
  });

  await t.step("evaluate measures the same of the bundle's methods", async () => {
    const again = await runTask("evaluate", [
      ...[`--bundle=${out}`, `--data=webemo:${folder}/webemo`, `--cache=${folder}/cache`],
      ...["--backend=wasm", "--json"],
    ]);
    assert.equal(again.code, 0, again.stderr);
    const { tasks: all }: Experiment = JSON.parse(again.stdout);
    assert.deepEqual(all.map(({ taxonomy }) => taxonomy), ["secondary", "primary", "polarity"]);
    assert.deepEqual(all[0].measurements[0].evaluations[0].count, 200);
  });

  await t.step(
    "pictures that look like training pictures measure only if they are asked to",
    async () => {
      const args = [...common, "--epochs=1", "--plain", "--taxonomy=polarity"]
        .filter((arg) => arg !== "--keep-near-duplicates");
      const strict = await runTask("train", [...args, `--out=${folder}/strict`]);
      assert.equal(strict.code, 0, strict.stderr);
      const { tasks: [task], notes }: Experiment = JSON.parse(strict.stdout).experiment;
      const [, dropped] = /^(\d+) pictures look like a training picture, .* webemo: images\/test_/
        .exec(notes[0]) ?? [];
      assert.ok(Number(dropped) > 0, notes[0]);
      assert.equal(task.measurements[0].evaluations[0].count, 50 - Number(dropped));
    },
  );
});

Deno.test("train --test-on gives the cross-dataset table, and evaluate agrees with it", async () => {
  const out = `${folder}/crossed`;
  const run = await runTask("train", [
    ...common,
    "--epochs=4",
    `--out=${out}`,
    "--plain",
    "--taxonomy=polarity",
    `--test-on=folder:${folder}/elsewhere`,
  ]);
  assert.equal(run.code, 0, run.stderr);
  const { tasks }: Experiment = JSON.parse(run.stdout).experiment;
  assert.deepEqual(tasks.map(({ dataset, taxonomy }) => [dataset, taxonomy]), [
    ["webemo", "polarity"],
    ["elsewhere", "polarity"],
  ]);
  assert.deepEqual(rowsOf(tasks[1]), ["zero-shot", "cross-entropy", "contrastive"]);
  const evaluated = await runTask("evaluate", [
    ...[`--bundle=${out}`, `--data=folder:${folder}/elsewhere`, "--taxonomy=polarity"],
    ...[`--cache=${folder}/cache`, "--backend=wasm", "--json"],
  ]);
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const [task]: TaskResult[] = JSON.parse(evaluated.stdout).tasks;
  const accuracies = ({ measurements }: TaskResult) =>
    Object.fromEntries(measurements.map(({ row, evaluations: [{ accuracy }] }) => [row, accuracy]));
  assert.deepEqual(accuracies(task), accuracies(tasks[1]));
});

Deno.test("train that is killed goes on where it was, and ends with the same bytes", async () => {
  const args = [...common, "--plain", "--taxonomy=primary", "--epochs=40", "--patience=40"];
  const whole = await runTask("train", [...args, `--out=${folder}/whole/made`]);
  assert.equal(whole.code, 0, whole.stderr);
  const cut = [...args.slice(0, -1), `--cache=${folder}/cut_cache`, "--patience=40"];
  const to = [
    ...cut.filter((arg) => arg !== `--cache=${folder}/cache`),
    `--out=${folder}/cut/made`,
  ];
  const child = (await taskCommand("train", to)).spawn();
  const checkpoints = `${folder}/cut_cache/checkpoints`;
  const isSaved = async () => {
    for await (const { name, isDirectory } of Deno.readDir(checkpoints)) {
      if (!isDirectory) continue;
      for await (const file of Deno.readDir(`${checkpoints}/${name}`)) {
        if (file.name.endsWith(".json")) return true;
      }
    }
    return false;
  };
  while (!await isSaved().catch(() => false)) await new Promise((wait) => setTimeout(wait, 20));
  child.kill("SIGKILL");
  const { code } = await child.output();
  assert.notEqual(code, 0, "it was killed before it was done");
  const resumed = await runTask("train", to);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.deepEqual(await readAll(`${folder}/cut/made`), await readAll(`${folder}/whole/made`));
});

Deno.test("train --plan says what it would do, and writes nothing", async () => {
  const run = await runTask("train", [...common, `--out=${folder}/planned`, "--plan"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /Train +9 heads/);
  await assert.rejects(Deno.stat(`${folder}/planned`));
});

Deno.test("train says that a bundle without prompts has no zero-shot, by leaving it out of the plan", async () => {
  const bare = `${folder}/bare`;
  const files = (await makeSyntheticBundle()).files;
  const manifest: Manifest = JSON.parse(new TextDecoder().decode(files.get("manifest.json")));
  const without = {
    ...manifest,
    prompts: [],
    taxonomies: manifest.taxonomies.slice(0, 1).map((taxonomy) => ({
      ...taxonomy,
      methods: taxonomy.methods.slice(0, 1),
    })),
  };
  files.set("manifest.json", new TextEncoder().encode(JSON.stringify(without)));
  await Deno.mkdir(bare);
  await writeBundleFiles(files, new URL(`file://${bare}/`));
  const args = common.filter((arg) => !arg.startsWith("--bundle"));
  const run = await runTask("train", [...args, `--bundle=${bare}`, `--out=${folder}/x`, "--plan"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /secondary: cross-entropy; cross-entropy, unit input\n/);
});
