import { wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import assert from "node:assert/strict";
import { TrainerError } from "../../../trainer/errors.ts";
import { measureFidelity } from "../../../trainer/fidelity/measure_fidelity.ts";
import {
  centredCosines,
  cosine,
  countAgreeing,
  median,
} from "../../../trainer/fidelity/cosines.ts";
import { readFidelityInputs } from "../../../trainer/fidelity/inputs.ts";
import { formatFidelity } from "../../../trainer/fidelity/format_fidelity.ts";
import { modelFiles, type OnnxModel, quantizeModel } from "../../../trainer/quantize/mod.ts";
import { isNativeInstalled, unlessInstalled } from "../../native_installed.ts";
import { seededRandom } from "../../random.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../../synthetic_bundle.ts";
import { CROP, smallPictures, smallTower } from "./small_tower.ts";

const ON_WASM = { backends: [wasmBackend] };

async function quantized(model: OnnxModel, mode: "int8-dynamic" | "nbits4") {
  return await modelFiles((await quantizeModel(model, { mode })).model);
}

Deno.test("cosine() is that of the angle, and 0 for a vector without a direction", () => {
  assert.equal(cosine([3, 4], [6, 8]), 1);
  assert.equal(cosine([1, 0], [0, 5]), 0);
  assert.equal(cosine([1, 1], [-2, -2]), -1);
  assert.equal(cosine([0, 0], [1, 2]), 0);
});

Deno.test("centredCosines() see a difference that what all embeddings share hides", () => {
  const rows = (...rows: number[][]) => rows.map((row) => Float32Array.from(row));
  const expected = rows([1000, 1, 0], [1000, -1, 0]);
  const swapped = rows([1000, -1, 0], [1000, 1, 0]);
  assert.ok(cosine(swapped[0], expected[0]) > 0.99999);
  assert.deepEqual(centredCosines(swapped, expected), [-1, -1]);
  // The mean is the float encoder's: a shift of all embeddings is an error.
  const shifted = rows([1000, 1, 1], [1000, -1, 1]);
  for (const value of centredCosines(shifted, expected)) {
    assert.ok(Math.abs(value - Math.SQRT1_2) < 1e-9);
  }
});

Deno.test("countAgreeing() counts the pictures whose best label is the same", () => {
  const prompts = { count: 2, size: 2, vectors: Float32Array.of(1, 0, 0, 1) };
  const expected = [[3, 1], [1, 3], [2, 1]].map((row) => Float32Array.from(row));
  const actual = [[5, 4], [4, 3], [9, 1]].map((row) => Float32Array.from(row));
  assert.equal(countAgreeing(actual, expected, prompts), 2);
});

Deno.test("median() is the number in the middle, or the mean of the two there", () => {
  assert.equal(median([5, 1, 9]), 5);
  assert.equal(median([10, 1, 2, 3]), 2.5);
  assert.equal(median([7]), 7);
});

Deno.test("measureFidelity() finds no difference between a model and itself", async () => {
  const files = await modelFiles(smallTower());
  const { bytes, backends: [result], pictures } = await measureFidelity(
    files,
    files,
    await smallPictures(5),
    ON_WASM,
  );
  assert.equal(pictures, 5);
  assert.deepEqual(bytes, { float: files.bytes.length, quantised: files.bytes.length, ratio: 1 });
  assert.equal(result.backend, "wasm");
  for (const value of Object.values(result.cosine)) assert.ok(Math.abs(value - 1) < 1e-12);
  assert.ok(Math.abs((result.centredCosine?.min ?? 0) - 1) < 1e-12);
  assert.ok(result.latency.float > 0 && result.latency.quantised > 0);
});

Deno.test("measureFidelity() tells modes apart, the more so when the mean is taken off", async () => {
  const model = smallTower();
  const [float, pictures] = [await modelFiles(model), await smallPictures()];
  const vectors = seededRandom(3).floats(4 * 64);
  const prompts = new Map([["four", { count: 4, size: 64, vectors }]]);
  const measure = async (mode: "int8-dynamic" | "nbits4") =>
    await measureFidelity(float, await quantized(model, mode), pictures, { ...ON_WASM, prompts });
  const [eight, four] = [await measure("int8-dynamic"), await measure("nbits4")];
  // Measured: 32 and 21 % of the size; cosines 0.9999 and 0.9946, centred 0.9989 and 0.938.
  assert.ok(eight.bytes.ratio < 0.34 && four.bytes.ratio < 0.25, `${four.bytes.ratio}`);
  const [{ cosine, centredCosine, agreement }, { cosine: rougher }] = [
    eight.backends[0],
    four.backends[0],
  ];
  assert.ok(cosine.min > 0.999 && cosine.min <= cosine.median && cosine.min <= cosine.mean);
  assert.ok(rougher.min < cosine.min && rougher.median < cosine.median);
  assert.ok(centredCosine && centredCosine.min < cosine.min && centredCosine.min > 0.99);
  assert.deepEqual(agreement.map(({ taxonomy }) => taxonomy), ["four"]);
  assert.ok(agreement[0].pictures >= 15 && agreement[0].pictures <= 16);
  const table = formatFidelity(eight);
  assert.match(table, /^Fidelity on 16 pictures, 3\d\.\d % of the size \(2\.\d MB of 6\.9 MB\)$/m);
  assert.match(table, /^ +wasm$/m);
  assert.match(table, /^same best of four +1[56] of 16$/m);
});

Deno.test({
  name: `measureFidelity() measures on each backend${unlessInstalled}`,
  ignore: !isNativeInstalled,
  async fn() {
    const model = smallTower();
    const { backends } = await measureFidelity(
      await modelFiles(model),
      await quantized(model, "int8-dynamic"),
      await smallPictures(4),
      { backends: [openNativeBackend(), wasmBackend] },
    );
    assert.deepEqual(backends.map(({ backend }) => backend), ["native", "wasm"]);
    for (const { cosine } of backends) assert.ok(cosine.min > 0.999 && cosine.min < 1);
  },
});

Deno.test("measureFidelity() says what is wrong with pictures, prompts and models", async () => {
  const files = await modelFiles(smallTower());
  const { inputs } = await smallPictures(1);
  const measure = (crop: number, some: readonly Float32Array[], size = 64) => {
    const prompts = new Map([["two", { count: 2, size, vectors: new Float32Array(2 * size) }]]);
    return measureFidelity(files, files, { crop, inputs: some }, { ...ON_WASM, prompts });
  };
  await assert.rejects(measure(CROP, []), /there is no picture/);
  await assert.rejects(measure(CROP, inputs, 65), {
    name: "TrainerError",
    message: /prompts of two: they have 65 dimensions, and the embeddings 64/,
  });
  await assert.rejects(measure(48, [new Float32Array(3 * 48 * 48)]), {
    name: "TrainerError",
    message: /48 x 48 pixels.*preprocessor_config\.json/,
  });
  const single = await measure(CROP, inputs);
  assert.equal(single.backends[0].centredCosine, undefined);
});

Deno.test("measureFidelity() ends with the signal's reason", async () => {
  const files = await modelFiles(smallTower());
  const stop = new AbortController();
  const reason = new TrainerError("Enough");
  let pictures = 0;
  const onPicture = () => {
    if (++pictures === 2) stop.abort(reason);
  };
  await assert.rejects(
    measureFidelity(files, files, await smallPictures(5), {
      ...ON_WASM,
      onPicture,
      signal: stop.signal,
    }),
    reason,
  );
  assert.equal(pictures, 2);
});

Deno.test("readFidelityInputs() takes the project's own pictures, as CLIP sees them, unless told otherwise", async () => {
  const notes: string[] = [];
  const onNote = (note: string) => notes.push(note);
  const { pictures, prompts } = await readFidelityInputs("/nowhere/encoder.onnx", { onNote });
  assert.equal(pictures.crop, 224);
  assert.equal(pictures.inputs.length, 35);
  assert.ok(pictures.inputs.every(({ length }) => length === 3 * 224 * 224));
  assert.equal(prompts.size, 0);
  assert.deepEqual(notes, []);
});

Deno.test("readFidelityInputs() takes a folder's pictures, and a bundle's prompts and preprocessing", async () => {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_fidelity_" });
  const pictures = new URL("../../../fixtures/pictures/", import.meta.url);
  try {
    const bundle = await makeSyntheticBundle();
    await writeBundleFiles(bundle.files, new URL(`file://${folder}/bundle/`));
    await Deno.copyFile(new URL("sunset.jpg", pictures), `${folder}/a.JPG`);
    await Deno.copyFile(new URL("rgba.png", pictures), `${folder}/b.png`);
    await Deno.writeTextFile(`${folder}/broken.png`, "no picture");
    await Deno.writeTextFile(`${folder}/notes.txt`, "no picture");
    const notes: string[] = [];
    const read = await readFidelityInputs(`${folder}/encoder.onnx`, {
      pictures: folder,
      bundle: `${folder}/bundle`,
      onNote: (note) => notes.push(note),
    });
    assert.deepEqual(read.pictures.inputs.map(({ length }) => length), [3 * 32 * 32, 3 * 32 * 32]);
    assert.deepEqual([...read.prompts.keys()], [...bundle.prompts.keys()]);
    assert.equal(notes.length, 1);
    assert.match(notes[0], /^Left out broken\.png: /);

    const none = readFidelityInputs("m.onnx", { pictures: `${folder}/bundle` });
    await assert.rejects(none, { name: "TrainerError", message: /it holds no picture/ });
    const nowhere = readFidelityInputs("m.onnx", { pictures: `${folder}/nowhere` });
    await assert.rejects(nowhere, { name: "TrainerError", message: /Cannot read the pictures/ });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
