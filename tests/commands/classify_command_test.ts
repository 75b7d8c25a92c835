import assert from "node:assert/strict";
import { chooseBackends } from "../../edge/adapter/deno/choose_backends.ts";
import { folderSource } from "../../edge/adapter/deno/folder_source.ts";
import { type Classification, createClassifier } from "../../edge/classifier.ts";
import { isNativeInstalled, unlessInstalled } from "../native_installed.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { assertProblemObject } from "../e2e/assert_problem.ts";
import { classifyOverHttp, scoresByLabel } from "../e2e/classify_over_http.ts";
import { startServer } from "../e2e/server_process.ts";
import { runTask } from "../e2e/task_command.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";

const PICTURES = "fixtures/pictures";
const folder = await makeTemporaryFolder("command");

Deno.test.beforeAll(async () => {
  await writeBundleFiles((await makeSyntheticBundle()).files, folder.url);
});
Deno.test.afterAll(() => folder.remove());

function classify(...args: string[]) {
  return runTask("classify", ["--bundle", folder.path, ...args]);
}

function assertSameScores(
  actual: Classification["predictions"],
  expected: Classification["predictions"],
): void {
  assert.deepEqual(
    actual.map(({ taxonomy, method }) => [taxonomy, method]),
    expected.map(({ taxonomy, method }) => [taxonomy, method]),
  );
  for (const [k, { taxonomy, scores }] of expected.entries()) {
    const byLabel = scoresByLabel(actual[k].scores);
    assert.equal(byLabel.size, scores.length);
    for (const { label, score } of scores) {
      const difference = Math.abs(score - (byLabel.get(label) ?? NaN));
      assert.ok(difference < 1e-6, `${taxonomy} ${label}: off by ${difference}`);
    }
  }
}

for (const backend of ["wasm", "native"] as const) {
  Deno.test({
    name: `the command, the server and the library say the same on the backend ${backend}${
      backend === "native" ? unlessInstalled : ""
    }`,
    ignore: backend === "native" && !isNativeInstalled,
    async fn() {
      const names = ["storm.jpg", "rgba.png", "lossy.webp"];
      const library = await createClassifier({
        bundle: folderSource(folder.path),
        backends: await chooseBackends(backend),
      });
      const server = await startServer(folder.path, "--workers", "1", "--backend", backend);
      try {
        for (const method of ["auto", "zero-shot"]) {
          const { code, stdout, stderr } = await classify(
            ...["--json", "--method", method, "--backend", backend],
            ...names.map((name) => `${PICTURES}/${name}`),
          );
          assert.equal(code, 0, stderr);
          const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
          assert.equal(lines.length, names.length);
          for (const [i, name] of names.entries()) {
            const { file, model, image, predictions } = lines[i];
            assert.equal(file, `${PICTURES}/${name}`);
            const byLibrary = await library.classify(await readPicture(name), { method });
            const byServer = await classifyOverHttp(
              server.url,
              await readPicture(name),
              `method=${method}`,
            );
            assert.deepEqual(model, byServer.model);
            assert.deepEqual(image, byLibrary.image);
            assertSameScores(predictions, byLibrary.predictions);
            assertSameScores(byServer.predictions, byLibrary.predictions);
          }
        }
      } finally {
        await server.stop();
        await library.close();
      }
    },
  });
}

Deno.test("the command prints a table for people", async () => {
  const { code, stdout, stderr } = await classify(
    ...["--taxonomy", "polarity,quadrant", "--top", "2"],
    `${PICTURES}/storm.jpg`,
  );
  assert.equal(code, 0, stderr);
  const bar = String.raw`[█░]+ +\d+\.\d %`;
  const row = String.raw` {4}\w+ +${bar}`;
  assert.match(
    stdout,
    new RegExp(
      [
        `^${PICTURES}/storm.jpg  1024 x 683`,
        "  Polarity \\(cross-entropy\\)",
        row,
        row,
        "  Mood quadrant \\(contrastive\\)",
        row,
        row,
        "\\s*$",
      ].join("\n"),
    ),
  );
  const shares = Array.from(stdout.matchAll(/(\d+\.\d) %/g), ([, share]) => Number(share));
  assert.ok(Math.abs(shares[0] + shares[1] - 100) < 0.11, "both polarities together are all");
});

Deno.test("the command reads a picture from stdin", async () => {
  const { code, stdout, stderr } = await runTask(
    "classify",
    ["--bundle", folder.path, "--json", "--top", "1", "-"],
    { input: await readPicture("small.jpg") },
  );
  assert.equal(code, 0, stderr);
  const { file, image } = JSON.parse(stdout);
  assert.deepEqual([file, image], ["-", { width: 97, height: 61 }]);
});

Deno.test("the command tells what is wrong with one picture, goes on, and ends with 1", async () => {
  const files = [
    `${PICTURES}/bad/cmyk.jpg`,
    `${PICTURES}/small.jpg`,
    `${PICTURES}/nothing.jpg`,
    `${PICTURES}/bad`,
  ];
  const asJson = await classify("--json", "--top", "1", ...files);
  assert.equal(asJson.code, 1, asJson.stderr);
  const lines = asJson.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ file }) => file), files);
  assertProblemObject(lines[0].error, 422, "unsupported-colour");
  assert.deepEqual(lines[1].image, { width: 97, height: 61 });
  assert.match(lines[2].error.detail, /^There is no file .*nothing\.jpg$/);
  assert.match(lines[3].error.detail, /bad is a folder$/);

  const asTable = await classify("--top", "1", ...files);
  assert.equal(asTable.code, 1, asTable.stderr);
  assert.match(asTable.stdout, /cmyk\.jpg\n {2}error: [^\n]*CMYK[^\n]*\n/);
  assert.match(asTable.stdout, /nothing\.jpg\n {2}error: There is no file /);
  assert.match(asTable.stdout, /bad\n {2}error: [^\n]* is a folder\n/);
  assert.match(asTable.stdout, /small\.jpg {2}97 x 61\n/);
  assert.doesNotMatch(asTable.stdout + asTable.stderr, /\bat .+:\d+:\d+/, "no stack trace");
});

Deno.test("the command names what there is when a taxonomy or method is not", async () => {
  const taxonomy = await classify("--taxonomy", "mood", `${PICTURES}/small.jpg`);
  assert.equal(taxonomy.code, 1);
  assert.match(taxonomy.stdout + taxonomy.stderr, /error: [^\n]*"mood"[^\n]*polarity/);
  const method = await classify("--method", "magic", `${PICTURES}/small.jpg`);
  assert.equal(method.code, 1);
  assert.match(method.stdout + method.stderr, /error: [^\n]*"magic"[^\n]*zero-shot/);
});

Deno.test("the command refuses a wrong command line in one line and ends with 2", async () => {
  for (
    const [args, says] of [
      [[], /at least one picture/],
      [["--jsno", "a.jpg"], /--jsno/],
      [["--top", "0", "a.jpg"], /--top/],
      [["--top", "some", "a.jpg"], /--top.*"some"/],
      [["--method"], /--method/],
    ] as const
  ) {
    const { code, stdout, stderr } = await classify(...args);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.match(stderr, says);
  }
});

Deno.test("the command refuses a bundle that cannot be used in one line and ends with 1", async () => {
  const { code, stdout, stderr } = await runTask("classify", [
    ...["--bundle", "fixtures/pictures"],
    `${PICTURES}/small.jpg`,
  ]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^error: [^\n]*no manifest\.json[^\n]*\n$/);
});

Deno.test("the command lists its options", async () => {
  const { code, stdout } = await runTask("classify", ["--help"]);
  assert.equal(code, 0);
  for (const word of ["PICTURE", "--bundle", "--taxonomy", "--method", "--top", "--json"]) {
    assert.ok(stdout.includes(word), word);
  }
});
