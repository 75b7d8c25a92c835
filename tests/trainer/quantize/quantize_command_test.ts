/**
 * `deno task quantize`, as a user runs it: files in, files out, and what it refuses.
 */

import assert from "node:assert/strict";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import { readModel } from "../../../trainer/quantize/mod.ts";
import { seededRandom } from "../../random.ts";
import { evaluate, multiply, relativeError } from "./models.ts";
import { quantize } from "./quantize_command.ts";

const SIZE = 32;
const random = seededRandom(51);
const X = random.floats(SIZE);
const W = random.floats(SIZE * SIZE);
const EXPECTED = multiply(X, W, SIZE, SIZE);

function example(location?: string): OnnxGraph {
  const graph = new OnnxGraph("example");
  graph.input("x", ["rows", SIZE]);
  if (location === undefined) graph.float32("w", [SIZE, SIZE], W);
  else graph.external("w", [SIZE, SIZE], { location, offset: 0 });
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["rows", SIZE]);
  return graph;
}

/** A folder with `in.onnx`, and `split.onnx` with `split.onnx_data`, gone when the test ends. */
async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_quantize_" });
  try {
    await Deno.writeFile(`${folder}/in.onnx`, example().toBytes());
    await Deno.writeFile(`${folder}/split.onnx`, example("split.onnx_data").toBytes());
    await Deno.writeFile(`${folder}/split.onnx_data`, new Uint8Array(W.buffer));
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

async function errorOf(bytes: Uint8Array, data?: Uint8Array): Promise<number> {
  const externalData = data && [{ path: "out.onnx_data", data }];
  const feeds = { x: [[1, SIZE], X] } as const;
  const { y } = await evaluate(bytes, feeds, externalData ? { externalData } : {});
  return relativeError(y.data, EXPECTED);
}

Deno.test("quantize writes a model that runs, and says what it did", async () => {
  await inFolder(async (folder) => {
    const run = await quantize(folder, "in.onnx", "out.onnx", "--mode=int8-dynamic");
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^File {3}out\.onnx \(0\.0 MB\)$/m);
    assert.match(run.stdout, /^Nodes {2}1 MatMul: int8-dynamic$/m);
    assert.match(run.stderr, /^Quantising: 1 of 1 in/);
    assert.deepEqual(await namesIn(folder), [
      "in.onnx",
      "out.onnx",
      "split.onnx",
      "split.onnx_data",
    ]);
    const error = await errorOf(await Deno.readFile(`${folder}/out.onnx`));
    assert.ok(error > 0 && error < 0.02, `${error}`);
  });
});

Deno.test("quantize reads and writes weights beside a model, and reports as JSON", async () => {
  await inFolder(async (folder) => {
    const run = await quantize(
      folder,
      "split.onnx",
      "out.onnx",
      "--mode=nbits8",
      "--external-data",
      "--json",
    );
    assert.equal(run.code, 0, run.stderr);
    const [model, data] = await Promise.all(
      ["out.onnx", "out.onnx_data"].map((name) => Deno.readFile(`${folder}/${name}`)),
    );
    const { files, nodes, others, unused, bytes } = JSON.parse(run.stdout);
    assert.deepEqual(files, [
      { path: "out.onnx", bytes: model.length },
      { path: "out.onnx_data", bytes: data.length },
    ]);
    assert.deepEqual(nodes, [
      { name: "y", operator: "MatMul", weight: "w", shape: [SIZE, SIZE], done: "nbits8" },
    ]);
    assert.deepEqual([others, unused], [{}, []]);
    assert.ok(bytes.after < bytes.before);
    const error = await errorOf(model, data);
    assert.ok(error > 0 && error < 0.01, `${error}`);
    assert.equal((await namesIn(folder)).length, 5);
  });
});

Deno.test("quantize takes --keep several times, and replaces an older file", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/out.onnx`, "older");
    const run = await quantize(
      folder,
      ...["--keep", "y", "in.onnx", "out.onnx", "--keep=w", "--mode", "fp16"],
    );
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /Nothing was quantised: the model is as it was/);
    const bytes = await Deno.readFile(`${folder}/out.onnx`);
    assert.deepEqual(readModel(bytes), readModel(example().toBytes()));
  });
});

Deno.test("quantize refuses what it cannot do in a sentence, and leaves every file as it was", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/text.onnx`, "This is no model.");
    await Deno.writeFile(`${folder}/outside.onnx`, example("../split.onnx_data").toBytes());
    await Deno.writeFile(`${folder}/short.onnx`, example("short.onnx_data").toBytes());
    await Deno.writeFile(`${folder}/short.onnx_data`, new Uint8Array(100));
    await Deno.symlink("in.onnx", `${folder}/link.onnx`);
    await Deno.writeFile(`${folder}/odd.onnx`, example("out.onnx_data").toBytes());
    await Deno.writeFile(`${folder}/out.onnx_data`, new Uint8Array(W.buffer));
    const before = await namesIn(folder);
    const mode = "--mode=int8-weights";
    for (
      const [args, code, message] of [
        [["in.onnx", "new.onnx"], 2, /--mode is needed/],
        [["in.onnx", "new.onnx", "--mode=int9"], 2, /--mode must be one of int8-dynamic, /],
        [["in.onnx", mode], 2, /Name two files/],
        [["in.onnx", "new.onnx", "more.onnx", mode], 2, /Name two files/],
        [["in.onnx", "new.onnx", mode, "--keep"], 2, /--keep needs a value/],
        [["in.onnx", "new.onnx", mode, "--conv", "--conv-weights"], 2, /not both/],
        [["in.onnx", "new.onnx", "--mode=fp16", "--gather"], 2, /no other option than --keep/],
        [["in.onnx", "new.onnx", mode, "--keep=nothing*"], 1, /keep nothing\*: no node/],
        [["in.onnx", "in.onnx", mode], 1, /Cannot write .*in\.onnx: the model is read from it/],
        [["in.onnx", "link.onnx", mode], 1, /Cannot write .*link\.onnx: the model is read/],
        [["odd.onnx", "out.onnx", mode], 1, /Cannot write .*out\.onnx_data: the model is read/],
        [["missing.onnx", "new.onnx", mode], 1, /Cannot read .*missing\.onnx: No such file/],
        [["text.onnx", "new.onnx", mode], 1, /Cannot read .*text\.onnx: it is not an ONNX file/],
        [["outside.onnx", "new.onnx", mode], 1, /weights lie outside its folder/],
        [["short.onnx", "new.onnx", mode], 1, /short\.onnx_data: it ends before byte 4096/],
        [["in.onnx", "no/folder/new.onnx", mode], 1, /Cannot write .*new\.onnx: No such file/],
      ] as const
    ) {
      const run = await quantize(folder, ...args);
      assert.equal(run.code, code, `${args}: ${run.stderr}`);
      assert.match(run.stderr, message);
      assert.match(run.stderr, /^error: [^\n]+$/m);
      assert.equal(run.stdout, "");
    }
    assert.deepEqual(await namesIn(folder), before);
    assert.deepEqual(await Deno.readFile(`${folder}/in.onnx`), example().toBytes());
  });
});

Deno.test("quantize --help says every mode and option", async () => {
  const { code, stdout } = await quantize(".", "--help");
  assert.equal(code, 0);
  for (const word of ["int8-dynamic", "nbits4", "fp16", "--keep PATTERN", "--max-pictures N"]) {
    assert.ok(stdout.includes(word), word);
  }
});
