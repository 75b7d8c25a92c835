import assert from "node:assert/strict";
import { reportHtml } from "../../../trainer/report/report_html.ts";
import { reportMarkdown } from "../../../trainer/report/report_markdown.ts";
import { writeReport } from "../../../trainer/report/write_report.ts";
import { makeHostileExperiment } from "./hostile_experiment.ts";
import { makeSyntheticExperiment } from "./synthetic_experiment.ts";

const experiment = makeSyntheticExperiment();
const html = await reportHtml(experiment);
const markdown = reportMarkdown(experiment);

Deno.test("reportHtml() and reportMarkdown() give the same bytes for the same experiment", async () => {
  assert.ok(await reportHtml(makeSyntheticExperiment()) === html);
  assert.ok(reportMarkdown(makeSyntheticExperiment()) === markdown);
});

Deno.test("reportHtml() and reportMarkdown() show every task, method, data set, fact and note", () => {
  const words = [
    experiment.title,
    ...experiment.facts.flatMap(({ name, value }) => [name, value]),
    ...experiment.notes,
    ...experiment.datasets.flatMap(({ name, description, notes }) => [name, description, ...notes]),
    ...experiment.tasks.flatMap(({ protocol, labels, measurements, mistakes }) => [
      protocol,
      ...labels,
      ...measurements.map(({ row }) => row),
      ...mistakes.flatMap(({ label, predicted }) => [label, predicted]),
    ]),
  ];
  for (const word of new Set(words)) {
    assert.ok(html.includes(word.replaceAll("'", "&#39;")), word);
    assert.ok(markdown.includes(word.replace(/[_|]/g, "\\$&")), word);
  }
  for (const { dataset, labels } of experiment.tasks) {
    const heading = new RegExp(`^## ${dataset}: .* \\(${labels.length} labels\\)$`, "m");
    assert.match(markdown, heading);
    assert.match(
      html,
      new RegExp(`<h2 [^>]*>${dataset}: [^<]* \\(${labels.length} labels\\)</h2>`),
    );
  }
});

Deno.test("reportHtml() draws the curves of each method once, and every method's reliability", () => {
  const count = (label: string) => html.split(`aria-label="${label}`).length - 1;
  for (const row of ["cross-entropy", "cross-entropy, unit input", "contrastive"]) {
    assert.equal(count(`Losses of ${row} by epoch`), 3, row);
  }
  const measurements = experiment.tasks.flatMap((task) => task.measurements);
  assert.equal(count("Reliability of "), measurements.length);
});

Deno.test("reportHtml() shows every number of a confusion matrix with its share of the row", () => {
  const [{ labels, measurements }] = experiment.tasks;
  const { evaluations: [{ confusion }] } = measurements[1];
  for (const [i, row] of confusion.entries()) {
    const total = row.reduce((a, b) => a + b, 0);
    const cells = row.map((pictures) =>
      `${pictures.toLocaleString("en")}<small>${(100 * pictures / total).toFixed(1)}\u00a0%</small>`
    );
    const line = html.split("\n").find((line) =>
      line.includes(`>${labels[i]} <small>${total.toLocaleString("en")}</small></th>`)
    );
    for (const cell of cells) assert.ok(line?.includes(cell), cell);
  }
});

Deno.test("reportHtml() needs no script and nothing from elsewhere", () => {
  assert.match(html, /Content-Security-Policy" content="default-src 'none'; style-src 'sha256-/);
  assert.doesNotMatch(html, /<script|<link|javascript:|style="|url\(|@import/);
  for (const [address] of html.matchAll(/\b(?:src|href)="[^"]*"/g)) {
    assert.match(address, /^(?:src="data:image\/jpeg;base64,|href="#)/);
  }
});

Deno.test("reportHtml() and reportMarkdown() escape words of users, wherever they stand", async () => {
  const hostile = makeHostileExperiment();
  const page = await reportHtml(hostile);
  assert.doesNotMatch(page, /<script|<img|<\/style>.*<\/style>/s);
  assert.ok(page.split("&lt;script&gt;").length > 20);
  const text = reportMarkdown(hostile);
  assert.doesNotMatch(text, /(?<!\\)<script/);
  for (const line of text.split("\n").filter((line) => line.startsWith("|"))) {
    assert.ok(line.endsWith(" |"), line);
  }
});

Deno.test("reportHtml() shows no thumbnail that is no JPEG", async () => {
  const page = async (thumbnail: string) => {
    const [task] = experiment.tasks;
    const mistakes = [{ ...task.mistakes[0], thumbnail }];
    return await reportHtml({ ...experiment, tasks: [{ ...task, mistakes }] });
  };
  assert.match(await page("data:image/jpeg;base64,/9j/4AAQ"), /<img src="data:image\/jpeg;base64,/);
  for (
    const other of ["data:image/svg+xml;base64,AAAA", "data:image/jpeg;base64,A A", "x.jpg"]
  ) {
    assert.doesNotMatch(await page(other), /<img/);
  }
});

Deno.test("reportHtml() and reportMarkdown() tell of an experiment without tasks", async () => {
  const empty = { ...experiment, tasks: [], curves: [] };
  assert.match(await reportHtml(empty), /<h2 [^>]*>Data<\/h2>/);
  assert.match(reportMarkdown(empty), /^## Data$/m);
});

Deno.test("writeReport() writes three files, keeps others, and leaves no pictures in the data", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_report_" });
  try {
    await Deno.writeTextFile(`${folder}/mine.txt`, "mine");
    await Deno.writeTextFile(`${folder}/report.md`, "older");
    const [task, ...others] = experiment.tasks;
    const mistakes = task.mistakes.map((mistake) => ({
      ...mistake,
      thumbnail: "data:image/jpeg;base64,/9j/4AAQ",
    }));
    await writeReport(folder, { ...experiment, tasks: [{ ...task, mistakes }, ...others] });
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names.sort(), ["mine.txt", "report.html", "report.json", "report.md"]);
    assert.equal(await Deno.readTextFile(`${folder}/report.md`), markdown);
    assert.match(await Deno.readTextFile(`${folder}/report.html`), /<img/);
    const json = await Deno.readTextFile(`${folder}/report.json`);
    assert.deepEqual(JSON.parse(json), experiment);
    assert.match(json, /^ +\[\d+, \d+\],?$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("writeReport() says why it cannot write, and leaves nothing half-written", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_report_" });
  try {
    await Deno.mkdir(`${folder}/report.html/in_the_way`, { recursive: true });
    await assert.rejects(
      writeReport(folder, experiment),
      { name: "TrainerError", message: /^Cannot write the report to .*: / },
    );
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names.filter((name) => name.endsWith(".partial")), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("reportHtml() and reportMarkdown() list what was confused most, where labels are many", async () => {
  const count = 50;
  const labels = Array.from({ length: count }, (_, i) => `label-${i}`);
  // Of each label's ten pictures as many go to the next label as its number modulo five.
  const confusion = labels.map((_, i) =>
    labels.map((_, j) => j === i ? 10 - i % 5 : j === (i + 1) % count ? i % 5 : 0)
  );
  const [task] = experiment.tasks;
  const [first] = task.measurements;
  const evaluation = { ...first.evaluations[0], confusion };
  const many = {
    ...experiment,
    tasks: [{
      ...task,
      labels,
      measurements: [{ ...first, evaluations: [evaluation] }],
      served: first.row,
    }],
  };
  const html = await reportHtml(many);
  assert.ok(html.includes("took for another most often, of 50"));
  assert.ok(!html.includes('class="confusion'), "no matrix");
  assert.match(
    html,
    /label-4<\/th>\s*<td[^>]*>label-5<\/td>\s*<td[^>]*>4<\/td>\s*<td[^>]*>40[^<]*<\/td>/,
  );
  const markdown = reportMarkdown(many);
  assert.match(markdown, /label-49 \| label-0 \| 4 \| 40/);
  assert.ok(!/label-0 \| label-1 /.test(markdown), "nothing of what was never confused");
});
