import {
  contrastiveLogits,
  crossEntropyLogits,
  type Dense,
  type Head,
  type Prompts,
} from "@clip-e/shared";
import h5wasm from "h5wasm";
import assert from "node:assert/strict";
import { TrainerError } from "../../trainer/errors.ts";
import { readKerasHead } from "../../trainer/keras_head.ts";
import { type Random, seededRandom } from "../random.ts";

// -------------------------------------------------------------------------------------------------
// Writing files as Keras does

/** A dataset of an HDF5 file. */
interface Weight {
  readonly data: Float32Array | Float64Array | Int32Array;
  readonly shape: readonly number[];
  /** Compresses it. */
  readonly gzip?: boolean;
  /** A larger shape that it claims, without numbers. */
  readonly growsTo?: readonly number[];
}

/** By path; groups come by themselves. */
type Weights = Readonly<Record<string, Weight>>;

const { FS } = await h5wasm.ready;

/** Keras's attributes, which say in which order a model takes its weights. */
function writeAttributes(file: InstanceType<typeof h5wasm.File>, weights: Weights): void {
  const layers = new Map<string, string[]>();
  for (const path of Object.keys(weights)) {
    const [layer, ...rest] = path.split("/");
    layers.set(layer, [...layers.get(layer) ?? [], rest.join("/")]);
  }
  file.create_attribute("layer_names", [...layers.keys()], null, "S40");
  file.create_attribute("backend", "tensorflow");
  file.create_attribute("keras_version", "2.12.0");
  for (const [layer, names] of layers) {
    new h5wasm.Group(file.file_id, `/${layer}`)
      .create_attribute("weight_names", names, null, "S40");
  }
}

function writeHdf5(weights: Weights, emptyGroups: readonly string[] = []): Uint8Array<ArrayBuffer> {
  const name = "/written.hdf5";
  // The format's first version, as h5py writes it for Keras.
  const file = new h5wasm.File(name, "w", { libver: ["earliest", "latest"] });
  try {
    const groups = new Set<string>();
    for (const path of Object.keys(weights)) {
      const names = path.split("/");
      for (let n = 1; n < names.length; n++) groups.add(names.slice(0, n).join("/"));
    }
    for (const group of [...groups, ...emptyGroups]) file.create_group(group);
    for (const [name, { data, shape, gzip, growsTo }] of Object.entries(weights)) {
      const dataset = file.create_dataset({
        name,
        data,
        shape: [...shape],
        ...(gzip || growsTo ? { chunks: [...shape] } : {}),
        ...(gzip ? { compression: 4 } : {}),
        ...(growsTo ? { maxshape: shape.map(() => null) } : {}),
      });
      if (growsTo) dataset.resize([...growsTo]);
    }
    writeAttributes(file, weights);
    file.flush();
    file.close();
    return new Uint8Array(FS.readFile(name));
  } finally {
    FS.unlink(name);
  }
}

/** Where a file has 64-bit numbers in a row. */
function find64(bytes: Uint8Array<ArrayBuffer>, numbers: readonly bigint[]): number {
  const view = new DataView(bytes.buffer);
  const last = bytes.length - numbers.length * 8;
  for (let at = 0; at <= last; at++) {
    if (numbers.every((n, i) => view.getBigUint64(at + i * 8, true) === n)) return at;
  }
  throw new Error(`The file does not hold ${numbers}`);
}

function randomDense(random: Random, inputs: number, units: number): Dense {
  const scale = Math.sqrt(6 / (inputs + units));
  const kernel = random.floats(inputs * units).map((v) => v * scale);
  return { inputs, units, kernel, bias: random.floats(units) };
}

/** From a layer and its part to the path that a version of Keras gives it. */
type Layout = (layer: string, part: string) => string;

const LAYOUTS: Readonly<Record<string, Layout>> = {
  "save_weights": (layer, part) => `${layer}/${layer}/${part}:0`,
  "a sub-model": (layer, part) => `vision_encoder/${layer}/${part}:0`,
  "a sub-model in a sub-model": (layer, part) => `clip_e/vision_encoder/${layer}/${part}:0`,
  "Keras 3": (layer, part) => `${layer}/${layer}/${part}`,
  "Keras 3's sub-model": (layer, part) => `vision_encoder/vision_encoder/${layer}/${part}`,
  "a whole model": (layer, part) => `model_weights/${layer}/${layer}/${part}:0`,
};

function weightsOf(layout: Layout, layers: Readonly<Record<string, Dense>>): Weights {
  return Object.fromEntries(
    Object.entries(layers).flatMap(([name, { inputs, units, kernel, bias }]) => [
      [layout(name, "kernel"), { data: kernel, shape: [inputs, units] }],
      [layout(name, "bias"), { data: bias, shape: [units] }],
    ]),
  );
}

const WIDTH = 512;

function crossEntropyLayers(random: Random, labels: number) {
  return {
    img_fc1: randomDense(random, WIDTH, WIDTH),
    preds: randomDense(random, WIDTH, labels),
  };
}

function contrastiveLayers(random: Random) {
  return {
    img_fc1: randomDense(random, WIDTH, WIDTH),
    img_fc2: randomDense(random, WIDTH, WIDTH),
  };
}

/** A head that is quick to write, for what does not depend on size. */
function smallWeights(changes: Readonly<Record<string, Weight | undefined>> = {}): Weights {
  const random = seededRandom(3);
  const layers = { img_fc1: randomDense(random, 5, 4), preds: randomDense(random, 4, 3) };
  const weights = { ...weightsOf(LAYOUTS["save_weights"], layers), ...changes };
  return Object.fromEntries(
    Object.entries(weights).flatMap(([path, weight]) => weight ? [[path, weight]] : []),
  );
}

// -------------------------------------------------------------------------------------------------
// What the weights mean, in double precision

/** Each output the sum over its column, plus its bias. */
function evaluateDense({ inputs, units, kernel, bias }: Dense, x: readonly number[]): number[] {
  return Array.from({ length: units }, (_, j) => {
    let sum = bias[j];
    for (let i = 0; i < inputs; i++) sum += x[i] * kernel[i * units + j];
    return sum;
  });
}

function evaluate(first: Dense, second: Dense, x: readonly number[]): number[] {
  return evaluateDense(second, evaluateDense(first, x).map((v) => Math.max(v, 0)));
}

/** As long as CLIP's own embeddings, about 10. */
function randomEmbedding(random: Random): number[] {
  return [...random.floats(WIDTH)].map((v) => v * 0.75);
}

function randomPrompts(random: Random, count: number): Prompts {
  const vectors = new Float32Array(count * WIDTH);
  for (let k = 0; k < count; k++) {
    const vector = random.floats(WIDTH);
    const length = Math.hypot(...vector);
    vectors.set(vector.map((v) => v / length), k * WIDTH);
  }
  return { count, size: WIDTH, vectors };
}

function cosines(x: readonly number[], { count, size, vectors }: Prompts): number[] {
  const length = Math.hypot(...x);
  return Array.from(
    { length: count },
    (_, k) => x.reduce((sum, v, i) => sum + v * vectors[k * size + i], 0) / length,
  );
}

function assertClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const distance = Math.abs(actual[i] - value);
    assert.ok(distance <= 1e-5, `[${i}] is ${actual[i]}, expected ${value}`);
  });
}

function assertCrossEntropy(head: Head): asserts head is Head & { kind: "cross-entropy" } {
  assert.equal(head.kind, "cross-entropy");
}

function assertContrastive(head: Head): asserts head is Head & { kind: "contrastive" } {
  assert.equal(head.kind, "contrastive");
}

// -------------------------------------------------------------------------------------------------
// Reading

for (const labels of [1, 6, 25]) {
  Deno.test(`readKerasHead() reads ${labels} cross-entropy outputs in every layout`, async () => {
    const random = seededRandom(labels);
    const layers = crossEntropyLayers(random, labels);
    const embedding = randomEmbedding(random);
    const outputs = evaluate(layers.img_fc1, layers.preds, embedding);
    const expected = labels === 1 ? [0, ...outputs] : outputs;
    for (const [name, layout] of Object.entries(LAYOUTS)) {
      const head = await readKerasHead(writeHdf5(weightsOf(layout, layers)), name);
      assertCrossEntropy(head);
      assertClose(crossEntropyLogits(head, embedding), expected);
    }
  });
}

Deno.test("readKerasHead() reads a contrastive head in every layout", async () => {
  const random = seededRandom(4);
  const layers = contrastiveLayers(random);
  const embedding = randomEmbedding(random);
  const prompts = randomPrompts(random, 25);
  const expected = cosines(evaluate(layers.img_fc1, layers.img_fc2, embedding), prompts);
  for (const [name, layout] of Object.entries(LAYOUTS)) {
    const head = await readKerasHead(writeHdf5(weightsOf(layout, layers)), name);
    assertContrastive(head);
    assertClose(contrastiveLogits(head, embedding, prompts), expected);
  }
});

Deno.test("readKerasHead() gives every number of the file, in its place", async () => {
  const random = seededRandom(5);
  const layers = { img_fc1: randomDense(random, 7, 5), preds: randomDense(random, 5, 3) };
  const bytes = writeHdf5(weightsOf(LAYOUTS["save_weights"], layers));
  assert.deepEqual(await readKerasHead(bytes, "a.hdf5"), { kind: "cross-entropy", ...layers });
});

Deno.test("readKerasHead() reads files as large as the published ones", async () => {
  // The published sizes: CLIP-E's clip-e_6cat.hdf5 and clip-e_contrastive.hdf5. Theirs hold some
  // layers without weights too, which take a few kilobytes.
  const random = seededRandom(6);
  const sizes = [
    [crossEntropyLayers(random, 6), 1_077_792],
    [contrastiveLayers(random), 2_112_800],
  ] as const;
  for (const [layers, published] of sizes) {
    const bytes = writeHdf5(weightsOf(LAYOUTS["save_weights"], layers));
    assert.ok(Math.abs(bytes.length / published - 1) < 0.01, `${bytes.length} for ${published}`);
    await readKerasHead(bytes, "a.hdf5");
  }
});

Deno.test("readKerasHead() ignores other layers and the optimizer's numbers", async () => {
  const random = seededRandom(7);
  const layers = { img_fc1: randomDense(random, 5, 4), img_fc2: randomDense(random, 4, 6) };
  const other = (shape: readonly number[]): Weight => ({
    data: new Float32Array(shape.reduce((product, n) => product * n, 1)).fill(NaN),
    shape,
  });
  const bytes = writeHdf5({
    ...weightsOf(LAYOUTS["a whole model"], layers),
    "model_weights/text_projection/text_projection/kernel:0": other([9, 9]),
    "model_weights/my_img_fc1/my_img_fc1/kernel:0": other([3, 2]),
    "model_weights/preds_norm/preds_norm/gamma:0": other([3]),
    "optimizer_weights/Adam/iterations:0": { data: Int32Array.of(3), shape: [1] },
    "optimizer_weights/Adam/m/img_fc1/kernel:0": other([5, 4]),
    "optimizer_weights/Adam/v/img_fc1/kernel:0": other([5, 4]),
    "optimizer_weights/training/Adam/img_fc2/kernel/m:0": other([4, 6]),
  }, ["model_weights/dropout"]);
  assert.deepEqual(await readKerasHead(bytes, "a.hdf5"), { kind: "contrastive", ...layers });
});

Deno.test("readKerasHead() narrows 64-bit floats", async () => {
  const kernel = Float64Array.from({ length: 20 }, (_, i) => 1 / (i + 3));
  const weights = smallWeights({ "img_fc1/img_fc1/kernel:0": { data: kernel, shape: [5, 4] } });
  const head = await readKerasHead(writeHdf5(weights), "a.hdf5");
  assert.deepEqual(head.img_fc1.kernel, Float32Array.from(kernel));
});

Deno.test("readKerasHead() widens 16-bit floats", async () => {
  const halves = new Float16Array(20);
  halves.set([1, -2.5, 65504, 2 ** -24, 0.333251953125]);
  const path = "img_fc1/img_fc1/kernel:0";
  const bytes = writeHdf5(
    smallWeights({ [path]: { data: new Float32Array(halves.buffer), shape: [5, 2] } }),
  );
  // The library writes none of them. So half as many 32-bit floats are declared to be them: in the
  // dataspace message their number, twice, and in the datatype message after it the size,
  // precision, fields and bias (HDF5 file format specification 3.0, IV.A.2.b and d).
  const shape = find64(bytes, [5n, 2n, 5n, 2n]);
  for (const at of [8, 24]) new DataView(bytes.buffer).setBigUint64(shape + at, 4n, true);
  const float32 = [0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];
  const float16 = [0x11, 0x20, 15, 0, 2, 0, 0, 0, 0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0];
  const type = bytes.findIndex((_, at) =>
    at > shape && float32.every((b, i) => bytes[at + i] === b)
  );
  bytes.set(float16, type);
  const head = await readKerasHead(bytes, "a.hdf5");
  assert.deepEqual(head.img_fc1.kernel, Float32Array.from(halves));
});

Deno.test("readKerasHead() reads compressed numbers", async () => {
  const data = Float32Array.from({ length: 20 }, (_, i) => i % 3);
  const weights = smallWeights({
    "img_fc1/img_fc1/kernel:0": { data, shape: [5, 4], gzip: true },
  });
  const head = await readKerasHead(writeHdf5(weights), "a.hdf5");
  assert.deepEqual(head.img_fc1.kernel, data);
});

Deno.test("readKerasHead() reads several files at a time, each as its own", async () => {
  const heads = [1, 2, 3].map((seed) => {
    const random = seededRandom(seed);
    return { img_fc1: randomDense(random, 5, 4), preds: randomDense(random, 4, seed) };
  });
  const files = heads.map((layers) => writeHdf5(weightsOf(LAYOUTS["Keras 3"], layers)));
  const read = await Promise.all(files.map((bytes, i) => readKerasHead(bytes, `${i}.hdf5`)));
  assert.deepEqual(read, heads.map((layers) => ({ kind: "cross-entropy", ...layers })));
});

// -------------------------------------------------------------------------------------------------
// Refusing

/** Which part of the message names what: each must be in it, beside the file's name. */
async function assertRefused(bytes: Uint8Array, says: readonly string[]): Promise<void> {
  await assert.rejects(readKerasHead(bytes, "some/head.hdf5"), (error) => {
    assert.ok(error instanceof TrainerError, String(error));
    for (const part of ["some/head.hdf5", ...says]) {
      assert.ok(error.message.includes(part), `"${error.message}" does not say "${part}"`);
    }
    return true;
  });
}

const floats = (...shape: number[]): Weight => ({
  data: new Float32Array(shape.reduce((product, n) => product * n, 1)),
  shape,
});

/** Changes to a good file, and what the error says. */
const REFUSED: Readonly<Record<string, [Record<string, Weight | undefined>, readonly string[]]>> = {
  "without img_fc1": [
    { "img_fc1/img_fc1/kernel:0": undefined, "img_fc1/img_fc1/bias:0": undefined },
    ["no layer img_fc1", "expected img_fc1 and either", "found preds", "preds/preds/kernel:0"],
  ],
  "with img_fc1 alone": [
    { "preds/preds/kernel:0": undefined, "preds/preds/bias:0": undefined },
    ["no layer preds or img_fc2", "found img_fc1", "img_fc1/img_fc1/bias:0"],
  ],
  "with preds and img_fc2": [
    { "img_fc2/img_fc2/kernel:0": floats(4, 4), "img_fc2/img_fc2/bias:0": floats(4) },
    ["preds and img_fc2 are both there", "expected img_fc1 and either"],
  ],
  "without a bias": [
    { "preds/preds/bias:0": undefined },
    ["layer preds: expected one bias, found none"],
  ],
  "without a kernel": [
    { "img_fc1/img_fc1/kernel:0": undefined },
    ["layer img_fc1: expected one kernel, found none"],
  ],
  "with a layer twice": [
    { "vision_encoder/img_fc1/kernel:0": floats(5, 4), "vision_encoder/img_fc1/bias:0": floats(4) },
    [
      "layer img_fc1: expected one kernel, found",
      "img_fc1/img_fc1/kernel:0, vision_encoder/img_fc1/kernel:0",
    ],
  ],
  "with a layer twice, with and without :0": [
    { "preds/preds/bias": floats(3) },
    ["layer preds: expected one bias, found preds/preds/bias, preds/preds/bias:0"],
  ],
  "whose kernel is no matrix": [
    { "preds/preds/kernel:0": floats(4, 3, 1) },
    ["layer preds: expected a kernel [inputs, units], found [4, 3, 1]"],
  ],
  "whose bias is a matrix": [
    { "img_fc1/img_fc1/bias:0": floats(4, 1) },
    ["layer img_fc1: expected a bias [units], found [4, 1]"],
  ],
  "whose bias has another length": [
    { "img_fc1/img_fc1/bias:0": floats(5) },
    ["layer img_fc1: expected a bias [4]", "[5, 4]", "found [5]"],
  ],
  "whose layers do not follow from one another": [
    { "preds/preds/kernel:0": floats(5, 3) },
    ["layer preds: expected a kernel [4, units]", "found [5, 3]"],
  ],
  "with an empty kernel": [
    { "preds/preds/kernel:0": floats(4, 0), "preds/preds/bias:0": floats(0) },
    ["layer preds: expected", "preds/preds/kernel:0", "found [4, 0]"],
  ],
  "with a single number for a bias": [
    { "preds/preds/bias:0": { data: Float32Array.of(1), shape: [] } },
    ["layer preds: expected", "preds/preds/bias:0", "found []"],
  ],
  "with integers": [
    { "preds/preds/bias:0": { data: Int32Array.of(1, 2, 3), shape: [3] } },
    ["layer preds: expected floats of 32 bits", "preds/preds/bias:0", "found integers of 32 bits"],
  ],
  "with a group for a kernel": [
    { "preds/preds/kernel:0": undefined, "preds/preds/kernel:0/values": floats(4, 3) },
    ["layer preds: expected numbers at preds/preds/kernel:0, found no data set"],
  ],
  "with NaN": [
    { "preds/preds/bias:0": { data: Float32Array.of(1, 2, NaN), shape: [3] } },
    ["layer preds: expected finite", "preds/preds/bias:0", "found NaN as number 2"],
  ],
  "with infinity": [
    {
      "img_fc1/img_fc1/kernel:0": { data: new Float32Array(20).fill(-Infinity, 7), shape: [5, 4] },
    },
    ["layer img_fc1: expected finite", "found -Infinity as number 7"],
  ],
  "with a 64-bit number that 32 bits cannot hold": [
    { "preds/preds/bias:0": { data: Float64Array.of(0, 1e300, 0), shape: [3] } },
    ["layer preds: expected finite 32-bit floats", "found 1e+300 as number 1"],
  ],
};

for (const [what, [changes, says]] of Object.entries(REFUSED)) {
  Deno.test(`readKerasHead() refuses a file ${what}, saying what it found`, async () => {
    await assertRefused(writeHdf5(smallWeights(changes)), says);
  });
}

Deno.test("readKerasHead() does not list more of a foreign file than a line", async () => {
  const weights = Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`dense_${i}/kernel:0`, floats(1, 1)]),
  );
  const bytes = writeHdf5(weights);
  await assertRefused(bytes, ["no layer img_fc1", "and 988 more"]);
});

Deno.test("readKerasHead() refuses an enormous shape without making room for it", async () => {
  const bytes = writeHdf5(smallWeights({
    "img_fc1/img_fc1/kernel:0": { ...floats(5, 4), growsTo: [2 ** 40, 4] },
  }));
  await assertRefused(bytes, [
    "layer img_fc1: expected",
    "img_fc1/img_fc1/kernel:0",
    "found [1099511627776, 4]",
  ]);
});

Deno.test("readKerasHead() refuses an empty file", async () => {
  await assertRefused(new Uint8Array(0), ["the file is empty"]);
});

Deno.test("readKerasHead() refuses what is not HDF5", async () => {
  const texts = ["<!DOCTYPE html><html>404</html>", "x", "\x89HDF", "version https://git-lfs"];
  for (const text of texts) {
    await assertRefused(Uint8Array.from(text, (c) => c.charCodeAt(0)), ["not an HDF5 file"]);
  }
});

Deno.test("readKerasHead() refuses a file cut anywhere, and still reads the whole", async () => {
  const bytes = writeHdf5(smallWeights());
  const whole = await readKerasHead(bytes, "a.hdf5");
  for (let length = 8; length < bytes.length; length += 7) {
    await assertRefused(bytes.subarray(0, length), ["cut short", "fetch the file again"]);
  }
  await assertRefused(bytes.subarray(0, bytes.length - 1), ["cut short"]);
  assert.deepEqual(await readKerasHead(bytes, "a.hdf5"), whole);
});

Deno.test("readKerasHead() does not take a damaged layer for a missing one", async () => {
  const bytes = writeHdf5(smallWeights());
  // An object header is 16 bytes, the first of them its version, then two message headers of 8
  // (HDF5 file format specification 3.0, IV.A.1.a and IV.A.2.b).
  const header = find64(bytes, [4n, 3n, 4n, 3n]) - 32;
  assert.equal(bytes[header], 1);
  bytes[header] = 99;
  await assertRefused(bytes, ["damaged", "fetch the file again"]);
});

Deno.test("readKerasHead() refuses numbers that cannot be unpacked", async () => {
  const data = Float32Array.from({ length: 4000 }, (_, i) => i % 7);
  const bytes = writeHdf5(smallWeights({
    "img_fc1/img_fc1/kernel:0": { data, shape: [1000, 4], gzip: true },
  }));
  // The zlib stream begins so at compression 4 (RFC 1950).
  const start = bytes.findIndex((byte, i) => byte === 0x78 && bytes[i + 1] === 0x5e);
  assert.notEqual(start, -1);
  bytes.fill(0xff, start + 4, start + 24);
  await assertRefused(bytes, ["layer img_fc1", "img_fc1/img_fc1/kernel:0", "damaged"]);
});

Deno.test("readKerasHead() gives a head or a sentence for every damaged file", async () => {
  const whole = writeHdf5(smallWeights());
  const expected = await readKerasHead(whole, "a.hdf5");
  const random = seededRandom(8);
  let refused = 0;
  for (let n = 0; n < 1000; n++) {
    const bytes = whole.slice();
    for (let change = random.integer(1, 4); change > 0; change--) {
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
    }
    await readKerasHead(bytes, "a.hdf5").catch((error) => {
      assert.ok(error instanceof TrainerError, `case ${n}: ${error?.stack}`);
      refused++;
    });
  }
  assert.ok(refused > 20, `${refused} were refused`);
  assert.deepEqual(await readKerasHead(whole, "a.hdf5"), expected);
});

Deno.test("readKerasHead() leaves nothing in the library's memory file system", async () => {
  const bytes = writeHdf5(smallWeights());
  await readKerasHead(bytes, "a.hdf5");
  await assertRefused(bytes.subarray(0, 1000), ["cut short"]);
  await assertRefused(writeHdf5({ "a/b": floats(1) }), ["no layer"]);
  assert.deepEqual(
    FS.readdir("/").filter((name: string) => FS.isFile(FS.stat(`/${name}`).mode)),
    [],
  );
});

Deno.test("readKerasHead() leaves the bytes that it was given as they were", async () => {
  const bytes = writeHdf5(smallWeights());
  const copy = bytes.slice();
  const head = await readKerasHead(bytes, "a.hdf5");
  assert.deepEqual(bytes, copy);
  bytes.fill(0);
  assert.ok(head.img_fc1.kernel.some((v) => v !== 0));
});
