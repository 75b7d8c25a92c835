/**
 * What `deno task quantize` says of fidelity, and how it aims at a cosine.
 */

import assert from "node:assert/strict";
import { makeSyntheticBundle, writeBundleFiles } from "../../synthetic_bundle.ts";
import { quantize, quantizeCommand } from "./quantize_command.ts";
import { CROP, towerBytes } from "./small_tower.ts";

const PICTURES = new URL("../../../fixtures/pictures/", import.meta.url);
const NAMES = ["odd_size.jpg", "palette.png", "sunset.jpg", "rgba.png", "lossy.webp"];

/** A folder with a tower that has outliers, its configuration and pictures, gone when the test ends. */
async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_fidelity_" });
  try {
    const outliers = { layers: [2, 5], channels: 2, factor: 100, rowFactor: 1 / 100 };
    await Deno.writeFile(`${folder}/tower.onnx`, towerBytes(outliers));
    const config = {
      size: CROP,
      crop_size: CROP,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.25, 0.25, 0.25],
    };
    await Deno.writeTextFile(`${folder}/preprocessor_config.json`, JSON.stringify(config));
    await Deno.mkdir(`${folder}/pictures`);
    for (const name of NAMES) {
      await Deno.copyFile(new URL(name, PICTURES), `${folder}/pictures/${name}`);
    }
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("quantize --target-cosine keeps the layers that hurt, prints them and how near the model is", async () => {
  await inFolder(async (folder) => {
    const run = await quantize(
      folder,
      "tower.onnx",
      "out.onnx",
      "--mode=int8-dynamic",
      "--pictures=pictures",
      "--target-cosine=0.995",
      "--report=report.json",
    );
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /^Embedding 5 pictures with the float encoder$/m);
    assert.match(run.stderr, /^Trial 1, all quantised: the cosine is below 0\.995$/m);
    assert.match(run.stdout, /^Target cosine 0\.995, met in \d+ trials: \d+ of 49 nodes stay in/m);
    assert.match(run.stdout, /layers\.2\/mlp\/fc1\/MatMul_output_0 +4\.1 % +\d\.\de-\d {2}kept$/m);
    assert.match(run.stdout, /^Fidelity on 5 pictures, 3\d\.\d % of the size/m);
    assert.match(run.stdout, /^cosine, min +0\.99[5-9]\d\d$/m);
    const { files, search, fidelity } = JSON.parse(
      await Deno.readTextFile(`${folder}/report.json`),
    );
    const { size } = await Deno.stat(`${folder}/out.onnx`);
    assert.deepEqual(files, [{ path: "out.onnx", bytes: size }]);
    assert.ok(search.keptShare > 0 && search.keptShare <= 0.15, search.keptShare);
    assert.equal(fidelity.bytes.quantised, size);
    assert.equal(fidelity.pictures, 5);
    assert.ok(fidelity.backends[0].cosine.min >= 0.995);
  });
});

Deno.test("quantize --max-pictures compares on no more pictures of a folder", async () => {
  await inFolder(async (folder) => {
    const run = await quantize(
      folder,
      "tower.onnx",
      "out.onnx",
      "--mode=nbits8",
      "--pictures=pictures",
      "--max-pictures=3",
    );
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /^Of 5 pictures 3 are used$/m);
    assert.match(run.stdout, /^Fidelity on 3 pictures/m);
  });
});

Deno.test("quantize --bundle compares a bundle's encoder by its prompts", async () => {
  await inFolder(async (folder) => {
    const { files, prompts } = await makeSyntheticBundle();
    await writeBundleFiles(files, new URL(`file://${folder}/bundle/`));
    const run = await quantize(
      folder,
      "bundle/encoder.onnx",
      "out.onnx",
      "--mode=nbits8",
      "--bundle=bundle",
      "--json",
    );
    assert.equal(run.code, 0, run.stderr);
    const { fidelity, search } = JSON.parse(run.stdout);
    assert.equal(search, undefined);
    assert.equal(fidelity.pictures, 35);
    const { cosine, agreement } = fidelity.backends[0];
    assert.ok(cosine.min > 0.999 && cosine.min < 1, cosine.min);
    const taxonomies = agreement.map(({ taxonomy }: { taxonomy: string }) => taxonomy);
    assert.deepEqual(taxonomies, [...prompts.keys()]);
    for (const { pictures } of agreement) assert.ok(pictures > 30 && pictures <= 35);
  });
});

Deno.test("quantize measures nothing unless it is asked to, and says what cannot be measured", async () => {
  await inFolder(async (folder) => {
    const plain = await quantize(folder, "tower.onnx", "out.onnx", "--mode=int8-dynamic");
    assert.equal(plain.code, 0);
    assert.ok(!plain.stdout.includes("Fidelity"));
    await Deno.remove(`${folder}/out.onnx`);
    const onInput = await quantize(
      folder,
      "tower.onnx",
      "out.onnx",
      "--mode=nbits8",
      "--report=tower.onnx",
    );
    assert.equal(onInput.code, 1);
    assert.match(onInput.stderr, /the model is read from it/);
    const onOutput = await quantize(
      folder,
      "tower.onnx",
      "out.onnx",
      "--mode=nbits8",
      "--report=out.onnx",
    );
    assert.equal(onOutput.code, 1);
    assert.match(onOutput.stderr, /it is the model's own/);
    await Deno.remove(`${folder}/preprocessor_config.json`);
    const before = await namesIn(folder);
    const cases = [
      // Without its configuration it gets pictures of CLIP's size.
      [["--mode=int8-dynamic", "--target-cosine=0.9"], 1, "224 x 224 pixels"],
      [["--mode=int8-dynamic", "--fidelity"], 1, "224 x 224 pixels"],
      [["--mode=int8-dynamic", "--pictures=nowhere"], 1, "Cannot read the pictures in"],
      [["--mode=int8-dynamic", "--bundle=pictures"], 1, "there is no manifest.json"],
      [["--mode=fp16", "--target-cosine=0.9"], 2, "goes with the modes of integers"],
      [["--mode=int8-dynamic", "--target-cosine=1.5"], 2, "--target-cosine must be a number"],
      [
        ["--mode=nbits4", "--fidelity", "--max-pictures=0"],
        2,
        '--max-pictures must be a whole number from 1, got "0"',
      ],
      [["--mode=nbits4", "--max-pictures=1.5"], 2, "--max-pictures must be a whole number from 1"],
      [["--mode=nbits4", "--per-tensor"], 2, "--per-tensor goes with"],
    ] as const;
    for (const [args, code, why] of cases) {
      const run = await quantize(folder, "tower.onnx", "out.onnx", ...args);
      assert.equal(run.code, code, run.stderr);
      assert.ok(run.stderr.includes(why), run.stderr);
    }
    assert.deepEqual(await namesIn(folder), before);
  });
});

Deno.test({
  name: "quantize --target-cosine leaves nothing behind when it is stopped",
  ignore: Deno.build.os === "windows",
  async fn() {
    await inFolder(async (folder) => {
      const before = await namesIn(folder);
      const args = ["tower.onnx", "out.onnx", "--mode=int8-dynamic", "--target-cosine=0.995"];
      const child = quantizeCommand(folder, ...args).spawn();
      let heard = "";
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        if (!heard.includes("Quantising each") && (heard + text).includes("Quantising each")) {
          child.kill("SIGINT");
        }
        heard += text;
      }
      await child.stdout.cancel();
      assert.equal((await child.status).code, 1);
      assert.match(heard, /^error: Stopped\. Models are written whole or not at all$/m);
      assert.deepEqual(await namesIn(folder), before);
    });
  },
});
