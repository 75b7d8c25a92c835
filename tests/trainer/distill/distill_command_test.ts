/**
 * `deno task distill` as people call it, with the permissions that the task has; its teacher is the statistics encoder.
 */

import assert from "node:assert/strict";
import { openEncoder } from "@clip-e/edge/encoder";
import { preprocess } from "@clip-e/shared";
import { decodeFile } from "../../../trainer/embedding/decode_file.ts";
import { readEncoder } from "../../../trainer/embedding/encoder_spec.ts";
import { drawPicture, writeEncoder, writePictures } from "../embedding/made_up.ts";

const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-env=INIT_CWD,ORT_DISABLE_TELEMETRY,XDG_RUNTIME_DIR,npm_package_config_libvips,MALLOC_ARENA_MAX",
  "--allow-sys=systemMemoryInfo",
  "--allow-ffi=node_modules,edge/adapter/deno/native",
];

const folder = await Deno.makeTempDir({ prefix: "clip_e_distill_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));
await writePictures(folder, 30);
await writeEncoder(folder);
await Deno.writeTextFile(
  `${folder}/both.csv`,
  ["file,label", "pictures/even/000.jpg,even", "pictures/even/000.jpg,odd"].join("\n"),
);

async function distill(...more: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...PERMISSIONS, "trainer/distill.ts", ...more],
    cwd: new URL("../../../", import.meta.url),
    env: { INIT_CWD: folder, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, err };
}

const WANTED = [
  "--teacher=encoder/encoder.onnx",
  "--pictures=pictures",
  "--student=conv:16:8:16x1:16",
  "--view-size=16",
  "--views=256",
  "--passes=2",
  "--batch=16",
  "--cache=cache",
  "--backend=wasm",
  "--workers=1",
];

Deno.test("distill writes an encoder with its configuration, and makes nothing twice", async () => {
  const first = await distill(...WANTED, "--out=student/encoder.onnx", "--json");
  assert.equal(first.code, 0, first.err);
  assert.match(first.err, /Student: conv:16:8:16x1:16, 0\.0\d million parameters; 32 steps of 16/);
  assert.match(first.err, /Step 32 of 32: loss \d\.\d+, held-out cosine -?\d\.\d+/);
  const summary = JSON.parse(first.out);
  assert.deepEqual([summary.views, summary.steps], [256, 32]);
  assert.ok(summary.cosine > 0.3, `a cosine of ${summary.cosine}`);

  const spec = await readEncoder(`${folder}/student/encoder.onnx`);
  assert.equal(spec.sha256, summary.sha256);
  assert.equal(spec.preprocessing.crop, 16);
  const encoder = await openEncoder(spec.bytes, 16);
  const picture = await decodeFile(await drawPicture(1), 1e6);
  const embedding = await encoder.encode(preprocess(picture, spec.preprocessing));
  await encoder.close();
  assert.equal(embedding.length, 256);

  const again = await distill(...WANTED, "--out=again/encoder.onnx");
  assert.equal(again.code, 0, again.err);
  assert.deepEqual(await Deno.readFile(`${folder}/again/encoder.onnx`), spec.bytes);
});

Deno.test("distill --labels learns labels too, and writes an encoder of the same size", async () => {
  const more = ["--labels=folder:pictures", "--label-views=20", "--label-weight=0.5"];
  const wanted = WANTED.filter((option) => !option.startsWith("--passes"));
  const once = ["--passes=1", "--measurements=1", "--out=told/encoder.onnx", "--json"];
  const { code, out, err } = await distill(...wanted, ...more, ...once);
  assert.equal(code, 0, err);
  assert.match(err, /Labels: folder:pictures, 30 pictures, 2 labels: "even", "odd"/);
  // Of 256 views each.
  assert.match(err, /0\.0\d million parameters; 32 steps of 16/);
  assert.match(
    err,
    /Step 32 of 32: .*, labels of 2 held-out pictures right in \d+\.0 % \(\d+\.0 % have the most frequent one\)/,
  );
  const { views, labels } = JSON.parse(out);
  assert.equal(views, 512);
  assert.equal(labels.pictures, 2);
  assert.ok([0, 0.5, 1].includes(labels.accuracy));
  assert.ok([0.5, 1].includes(labels.commonest));
  const [plain, told] = await Promise.all(
    ["student", "told"].map((name) => Deno.readFile(`${folder}/${name}/encoder.onnx`)),
  );
  assert.equal(told.length, plain.length);
});

for (
  const [what, spec, why] of [
    ["of no form that is known", "pictures", /Cannot read the data set pictures: .*csv:FILE/],
    [
      "with several labels to a picture",
      "csv:both.csv",
      /has the label "even" on line 2 and "odd"/,
    ],
  ] as const
) {
  Deno.test(`distill refuses --labels ${what}, in a sentence and before any work`, async () => {
    const { code, err } = await distill(...WANTED, `--labels=${spec}`, "--out=x.onnx");
    assert.equal(code, 1);
    assert.match(err, why);
    assert.doesNotMatch(err, /Views|Error:|^ +at /m);
  });
}

Deno.test("distill --views-only makes views, and no student", async () => {
  const { code, out, err } = await distill(...WANTED, "--views-only");
  assert.equal(code, 0, err);
  assert.equal(out, "");
  assert.doesNotMatch(err, /Student/);
});

for (
  const [what, args, why] of [
    ["a teacher", ["--pictures=pictures", "--out=x.onnx"], /--teacher is needed/],
    ["pictures", ["--teacher=encoder/encoder.onnx", "--out=x.onnx"], /--pictures is needed/],
    ["a place for the student", WANTED, /--out is needed/],
    [
      "views that are large enough",
      [...WANTED.filter((option) => !option.startsWith("--view-size")), "--view-size=8", "--out=x"],
      /--view-size must be at least 16, the student's own/,
    ],
  ] as const
) {
  Deno.test(`distill asks for ${what} in a sentence`, async () => {
    const { code, err } = await distill(...args);
    assert.equal(code, 2);
    assert.match(err, why);
  });
}
