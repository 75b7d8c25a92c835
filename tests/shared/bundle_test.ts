import {
  type BundleSource,
  type ContrastiveHead,
  type CrossEntropyHead,
  type Dense,
  describeFile,
  type Head,
  type Manifest,
  openBundle,
  type OpenBundleOptions,
  type PartFault,
  sha256,
  type Tensor,
  writeGolden,
  writeHead,
  writeManifest,
  writePrompts,
  writeSafetensors,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { seededRandom } from "../random.ts";

/** A bundle in memory. */
type Files = Map<string, Uint8Array<ArrayBuffer>>;

const SIZE = 4;
const HIDDEN = 3;
const SPACE = "space@1";

const PATHS = {
  encoder: "encoders/float32.onnx",
  golden: "golden.safetensors",
  polarity: "heads/polarity.safetensors",
  all: "heads/all.safetensors",
  prompts: "prompts/polarity.safetensors",
  card: "README.md",
} as const;

const random = seededRandom(1);

function dense(inputs: number, units: number): Dense {
  return { inputs, units, kernel: random.floats(inputs * units), bias: random.floats(units) };
}

const crossEntropy: CrossEntropyHead = {
  kind: "cross-entropy",
  img_fc1: dense(SIZE, HIDDEN),
  preds: dense(HIDDEN, 1),
};
const contrastive: ContrastiveHead = {
  kind: "contrastive",
  img_fc1: dense(SIZE, HIDDEN),
  img_fc2: dense(HIDDEN, SIZE),
};
const prompts = { count: 2, size: SIZE, vectors: Float32Array.of(1, 0, 0, 0, 0, 0.6, 0, 0.8) };
const goldenEmbedding = Float32Array.of(1, -2, 3, 0.5);

/** A whole bundle's files but for the manifest. */
function parts(): Files {
  return new Map<string, Uint8Array<ArrayBuffer>>([
    [PATHS.encoder, Uint8Array.of(8, 7, 6)],
    [PATHS.golden, writeGolden(goldenEmbedding)],
    [PATHS.polarity, writeHead(crossEntropy)],
    [PATHS.all, writeHead(contrastive)],
    [PATHS.prompts, writePrompts(prompts)],
    [PATHS.card, new TextEncoder().encode("# Tiny 🙂\n")],
  ]);
}

/** A manifest that fits the files as they are. */
async function manifestOf(files: Files): Promise<Manifest> {
  const describe = async (path: string) => {
    const bytes = files.get(path);
    assert.ok(bytes);
    return await describeFile(path, bytes);
  };
  return {
    format: 1,
    name: "tiny",
    embeddingSpace: { id: SPACE, size: SIZE },
    encoders: [{
      file: await describe(PATHS.encoder),
      precision: "float32",
      backends: ["wasm"],
      input: { resize: 32, crop: 32 },
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      interpolation: "bicubic",
      resizeMode: "shortest",
    }],
    golden: { formula: "waves-1", file: await describe(PATHS.golden), tolerance: 0.001 },
    heads: [
      {
        id: "polarity",
        kind: "cross-entropy",
        embeddingSpace: SPACE,
        file: await describe(PATHS.polarity),
      },
      { id: "all", kind: "contrastive", embeddingSpace: SPACE, file: await describe(PATHS.all) },
    ],
    prompts: [{
      taxonomy: "polarity",
      embeddingSpace: SPACE,
      texts: [["a photo that evokes a negative feeling"], [
        "a photo that evokes a positive feeling",
      ]],
      file: await describe(PATHS.prompts),
    }],
    taxonomies: [{
      id: "polarity",
      title: "Polarity",
      labels: [{ id: "negative", title: "Negative" }, { id: "positive", title: "Positive" }],
      methods: [
        { method: "cross-entropy", head: "polarity", temperature: 1 },
        { method: "contrastive", head: "all", temperature: 0.1 },
      ],
    }],
    provenance: { weights: "drawn from a seed" },
    license: "CC0-1.0",
    modelCard: await describe(PATHS.card),
  };
}

/** A bundle whose manifest is right about `replaced`: what is wrong with those files is not a matter of hashes. */
async function bundleOf(
  replaced: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {},
): Promise<Files> {
  const files = parts();
  for (const [path, bytes] of Object.entries(replaced)) files.set(path, bytes);
  return files.set("manifest.json", writeManifest(await manifestOf(files)));
}

function sourceOf(files: Files): BundleSource {
  return { read: (path) => Promise.resolve(files.get(path)) };
}

function open(files: Files, options?: OpenBundleOptions) {
  return openBundle(sourceOf(files), options);
}

/** Flips one bit of a file, which its length does not show. */
function corrupt(files: Files, path: string): void {
  const bytes = files.get(path)?.slice();
  assert.ok(bytes);
  bytes[bytes.length - 1] ^= 1;
  files.set(path, bytes);
}

/** Asserts that opening is refused as an unusable bundle, for a reason. */
async function assertRefused(opening: Promise<unknown>, why: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof Error);
    assert.deepEqual([error.name, Reflect.get(error, "code")], ["ClipEError", "invalid-bundle"]);
    assert.match(error.message, /^Cannot use the bundle: /);
    assert.match(error.message, why);
    return true;
  });
}

/** Asserts that one part is out of use, for a reason, and that all else serves. */
async function assertFault(
  files: Files,
  part: string,
  fault: PartFault["fault"],
  detail: RegExp,
): Promise<void> {
  const bundle = await open(files);
  assert.deepEqual(bundle.faults.map((f) => [f.part, f.fault]), [[part, fault]]);
  assert.match(bundle.faults[0].detail, detail);
  const usable = [
    ...[...bundle.heads.keys()].map((id) => `heads/${id}`),
    ...[...bundle.prompts.keys()].map((id) => `prompts/${id}`),
    ...(bundle.modelCard === undefined ? [] : ["model card"]),
  ];
  const whole = ["heads/polarity", "heads/all", "prompts/polarity", "model card"];
  assert.deepEqual(usable, whole.filter((name) => name !== part));
}

Deno.test("openBundle() reads back what was written: heads, prompts, golden embedding and model card", async () => {
  const files = await bundleOf();
  const bundle = await open(files);
  assert.deepEqual(bundle.faults, []);
  assert.deepEqual(bundle.manifest, await manifestOf(files));
  assert.deepEqual(
    bundle.heads,
    new Map<string, Head>([["polarity", crossEntropy], ["all", contrastive]]),
  );
  assert.deepEqual([...bundle.prompts.keys()], ["polarity"]);
  const read = bundle.prompts.get("polarity");
  assert.deepEqual([read?.count, read?.size], [2, SIZE]);
  prompts.vectors.forEach((v, i) => assert.ok(Math.abs((read?.vectors[i] ?? NaN) - v) < 1e-7));
  assert.deepEqual(bundle.goldenEmbedding, goldenEmbedding);
  assert.equal(bundle.modelCard, "# Tiny 🙂\n");
  assert.deepEqual(await bundle.readEncoder(bundle.manifest.encoders[0]), Uint8Array.of(8, 7, 6));
});

Deno.test("openBundle() reads no encoder until it is asked for", async () => {
  const files = await bundleOf();
  const read: string[] = [];
  const bundle = await openBundle({
    read(path) {
      read.push(path);
      return Promise.resolve(files.get(path));
    },
  });
  assert.ok(!read.includes(PATHS.encoder));
  await bundle.readEncoder(bundle.manifest.encoders[0]);
  assert.equal(read.at(-1), PATHS.encoder);
});

Deno.test("openBundle() gives the manifest's digest, and refuses another than the pinned one", async () => {
  const files = await bundleOf();
  const digest = `sha256:${await sha256(files.get("manifest.json") ?? new Uint8Array())}`;
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal((await open(files)).digest, digest);
  assert.equal((await open(files, { digest })).digest, digest);
  const other = `sha256:${"0".repeat(64)}`;
  await assertRefused(
    open(files, { digest: other }),
    new RegExp(`its manifest's digest is ${digest}, expected ${other}$`),
  );
});

Deno.test("openBundle() refuses a bundle that changed under its pin, though it is sound in itself", async () => {
  const { digest } = await open(await bundleOf());
  const changed = await bundleOf({
    [PATHS.polarity]: writeHead({ ...crossEntropy, preds: dense(3, 2) }),
  });
  assert.deepEqual((await open(changed)).faults, []);
  await assertRefused(open(changed, { digest }), /its manifest's digest is/);
});

Deno.test("openBundle() refuses a bundle without a manifest", async () => {
  const files = await bundleOf();
  files.delete("manifest.json");
  await assertRefused(open(files), /there is no manifest\.json$/);
});

Deno.test("openBundle() refuses a manifest that is not JSON or not valid, and says why", async () => {
  const files = await bundleOf();
  const manifest = await manifestOf(files);
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ["{", /its manifest\.json is not valid: .*JSON/],
    ["", /its manifest\.json is not valid: .*JSON/],
    [{ ...manifest, format: 2 }, /its format is 2, and this version reads format 1$/],
    [{ ...manifest, license: 7 }, /its manifest\.json is not valid: license: /],
    [{ ...manifest, embeddingSpace: { id: "b", size: SIZE } }, /head polarity is for the space/],
  ];
  for (const [json, why] of wrong) {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    files.set("manifest.json", new TextEncoder().encode(text));
    await assertRefused(open(files), why);
  }
});

Deno.test("openBundle() notes a head that is missing, and reads the rest", async () => {
  const files = await bundleOf();
  files.delete(PATHS.polarity);
  await assertFault(
    files,
    "heads/polarity",
    "missing",
    /^heads\/polarity\.safetensors is missing$/,
  );
});

Deno.test("openBundle() notes a head whose bytes changed as damage, and reads the rest", async () => {
  const files = await bundleOf();
  corrupt(files, PATHS.all);
  await assertFault(
    files,
    "heads/all",
    "invalid",
    /has the SHA-256 [0-9a-f]{64}, its manifest says/,
  );
});

Deno.test("openBundle() notes a head whose length changed as damage", async () => {
  const files = await bundleOf();
  files.set(PATHS.all, new Uint8Array(5));
  await assertFault(files, "heads/all", "invalid", /has 5 bytes, its manifest says \d+$/);
});

Deno.test("openBundle() notes prompts that are missing or changed", async () => {
  const missing = await bundleOf();
  missing.delete(PATHS.prompts);
  await assertFault(missing, "prompts/polarity", "missing", /is missing$/);
  const changed = await bundleOf();
  corrupt(changed, PATHS.prompts);
  await assertFault(changed, "prompts/polarity", "invalid", /has the SHA-256/);
});

Deno.test("openBundle() notes a model card that is missing or changed", async () => {
  const missing = await bundleOf();
  missing.delete(PATHS.card);
  await assertFault(missing, "model card", "missing", /is missing$/);
  const changed = await bundleOf();
  corrupt(changed, PATHS.card);
  await assertFault(changed, "model card", "invalid", /has the SHA-256/);
});

Deno.test("openBundle() needs no model card", async () => {
  const files = await bundleOf();
  const manifest = await manifestOf(files);
  delete manifest.modelCard;
  files.set("manifest.json", writeManifest(manifest));
  const bundle = await open(files);
  assert.deepEqual([bundle.modelCard, bundle.faults], [undefined, []]);
});

Deno.test("openBundle() notes a part that its source fails to read as damage", async () => {
  const files = await bundleOf();
  const source: BundleSource = {
    read: (path) =>
      path === PATHS.all
        ? Promise.reject(new Error("the connection was reset"))
        : Promise.resolve(files.get(path)),
  };
  const { faults, heads } = await openBundle(source);
  assert.deepEqual(faults, [{
    part: "heads/all",
    fault: "invalid",
    detail: "heads/all.safetensors: the connection was reset",
  }]);
  assert.deepEqual([...heads.keys()], ["polarity"]);
});

Deno.test("openBundle() ignores a head of a kind that it does not know: nothing is damaged", async () => {
  const files = await bundleOf();
  const manifest = await manifestOf(files);
  manifest.heads[1].kind = "low-rank";
  files.set("manifest.json", writeManifest(manifest));
  const bundle = await open(files);
  assert.deepEqual([[...bundle.heads.keys()], bundle.faults], [["polarity"], []]);
});

const ones = (...shape: number[]): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1),
});
const withNumber = (tensor: Tensor, value: number): Tensor => ({
  ...tensor,
  data: tensor.data.with(0, value),
});

const FC1 = { "img_fc1.kernel": ones(SIZE, HIDDEN), "img_fc1.bias": ones(HIDDEN) };
const PREDS = { "preds.kernel": ones(HIDDEN, 2), "preds.bias": ones(2) };

/** Heads whose hashes are right and whose tensors are not. */
const WRONG_HEADS: Readonly<Record<string, readonly [Uint8Array<ArrayBuffer>, RegExp]>> = {
  "is not safetensors": [new Uint8Array(4), /Cannot read safetensors: it has only 4 bytes/],
  "lacks a layer": [writeSafetensors(FC1), /there is no matrix preds\.kernel/],
  "lacks a bias": [
    writeSafetensors({ ...FC1, "preds.kernel": PREDS["preds.kernel"] }),
    /there is no tensor preds\.bias/,
  ],
  "has a kernel that is no matrix": [
    writeSafetensors({ ...FC1, ...PREDS, "img_fc1.kernel": ones(SIZE * HIDDEN) }),
    /there is no matrix img_fc1\.kernel/,
  ],
  "has a kernel of three dimensions": [
    writeSafetensors({ ...FC1, ...PREDS, "img_fc1.kernel": ones(SIZE, HIDDEN, 1) }),
    /img_fc1\.kernel has the shape \[4,3,1\], expected \[4,3\]/,
  ],
  "is for embeddings of another size": [
    writeSafetensors({ ...FC1, ...PREDS, "img_fc1.kernel": ones(5, HIDDEN) }),
    /img_fc1\.kernel has the shape \[5,3\], expected \[4,3\]/,
  ],
  "has layers that do not follow one another": [
    writeSafetensors({ ...FC1, ...PREDS, "preds.kernel": ones(2, 2) }),
    /preds\.kernel has the shape \[2,2\], expected \[3,2\]/,
  ],
  "has a kernel the wrong way round": [
    writeSafetensors({ ...FC1, ...PREDS, "img_fc1.kernel": ones(HIDDEN, SIZE) }),
    /img_fc1\.kernel has the shape \[3,4\], expected \[4,4\]/,
  ],
  "has a bias of another length": [
    writeSafetensors({ ...FC1, ...PREDS, "preds.bias": ones(3) }),
    /preds\.bias has the shape \[3\], expected \[2\]/,
  ],
  "has a weight that is NaN": [
    writeSafetensors({ ...FC1, ...PREDS, "preds.kernel": withNumber(ones(HIDDEN, 2), NaN) }),
    /preds\.kernel holds a number that is not finite/,
  ],
  "has a weight that is infinite": [
    writeSafetensors({ ...FC1, ...PREDS, "img_fc1.bias": withNumber(ones(HIDDEN), -Infinity) }),
    /img_fc1\.bias holds a number that is not finite/,
  ],
};

for (const [what, [bytes, detail]] of Object.entries(WRONG_HEADS)) {
  Deno.test(`openBundle() notes a cross-entropy head that ${what} as damage`, async () => {
    await assertFault(
      await bundleOf({ [PATHS.polarity]: bytes }),
      "heads/polarity",
      "invalid",
      detail,
    );
  });
}

Deno.test("openBundle() notes a contrastive head without its projection as damage", async () => {
  const files = await bundleOf({ [PATHS.all]: writeSafetensors({ ...FC1, ...PREDS }) });
  await assertFault(files, "heads/all", "invalid", /there is no matrix img_fc2\.kernel/);
});

/** Prompts whose hashes are right and whose tensors are not. */
const WRONG_PROMPTS: Readonly<Record<string, readonly [Uint8Array<ArrayBuffer>, RegExp]>> = {
  "are under another name": [writeSafetensors({ text: ones(2, SIZE) }), /no tensor prompts/],
  "are for another count of labels": [
    writeSafetensors({ prompts: ones(3, SIZE) }),
    /prompts has the shape \[3,4\], expected \[2,4\]/,
  ],
  "are one long vector": [writeSafetensors({ prompts: ones(2 * SIZE) }), /has the shape \[8\]/],
  "hold NaN": [
    writeSafetensors({ prompts: withNumber(ones(2, SIZE), NaN) }),
    /prompts holds a number that is not finite/,
  ],
  "hold a vector of zeros": [
    writeSafetensors({ prompts: { shape: [2, 2], data: Float32Array.of(1, 0, 0, 0) } }),
    /the prompt vector of label 1 has no direction/,
  ],
  "have no dimensions": [
    writeSafetensors({ prompts: ones(2, 0) }),
    /the prompt vector of label 0 has no direction/,
  ],
};

for (const [what, [bytes, detail]] of Object.entries(WRONG_PROMPTS)) {
  Deno.test(`openBundle() notes prompts that ${what} as damage`, async () => {
    await assertFault(
      await bundleOf({ [PATHS.prompts]: bytes }),
      "prompts/polarity",
      "invalid",
      detail,
    );
  });
}

Deno.test("openBundle() makes prompts unit vectors, of any size and length", async () => {
  const data = Float32Array.of(3, 4, 0, 0, 0.001, 0);
  const files = await bundleOf({
    [PATHS.prompts]: writeSafetensors({ prompts: { shape: [2, 3], data } }),
  });
  const read = (await open(files)).prompts.get("polarity");
  assert.deepEqual([read?.count, read?.size], [2, 3]);
  [0.6, 0.8, 0, 0, 1, 0].forEach((v, i) => {
    assert.ok(Math.abs((read?.vectors[i] ?? NaN) - v) < 1e-7);
  });
});

Deno.test("openBundle() refuses a golden embedding that is missing, changed or of another shape", async () => {
  const missing = await bundleOf();
  missing.delete(PATHS.golden);
  await assertRefused(open(missing), /golden\.safetensors is missing$/);

  const changed = await bundleOf();
  corrupt(changed, PATHS.golden);
  await assertRefused(open(changed), /golden\.safetensors has the SHA-256/);

  const wrong: readonly (readonly [Uint8Array<ArrayBuffer>, RegExp])[] = [
    [writeGolden(new Float32Array(5)), /embedding has the shape \[5\], expected \[4\]$/],
    [writeGolden(Float32Array.of(1, NaN, 0, 0)), /embedding holds a number that is not finite$/],
    [writeSafetensors({ golden: ones(SIZE) }), /there is no tensor embedding$/],
  ];
  for (const [bytes, why] of wrong) {
    await assertRefused(open(await bundleOf({ [PATHS.golden]: bytes })), why);
  }
});

Deno.test("openBundle() refuses a golden file that is not safetensors", async () => {
  await assert.rejects(open(await bundleOf({ [PATHS.golden]: Uint8Array.of(1, 2, 3) })), {
    code: "invalid-bundle",
    message: "Cannot read safetensors: it has only 3 bytes",
  });
});

Deno.test("readEncoder() refuses an encoder that is missing or changed", async () => {
  const files = await bundleOf();
  const bundle = await open(files);
  const [encoder] = bundle.manifest.encoders;
  corrupt(files, PATHS.encoder);
  await assertRefused(bundle.readEncoder(encoder), /encoders\/float32\.onnx has the SHA-256/);
  files.set(PATHS.encoder, Uint8Array.of(8, 7));
  await assertRefused(
    bundle.readEncoder(encoder),
    /float32\.onnx has 2 bytes, its manifest says 3$/,
  );
  files.delete(PATHS.encoder);
  await assertRefused(bundle.readEncoder(encoder), /encoders\/float32\.onnx is missing$/);
});

Deno.test("describeFile() gives the length and the SHA-256", async () => {
  assert.deepEqual(await describeFile("a/b.txt", new TextEncoder().encode("abc")), {
    path: "a/b.txt",
    bytes: 3,
    // FIPS 180-2, appendix B.1.
    sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  });
});

Deno.test("writeManifest() writes JSON that people can read", async () => {
  const manifest = await manifestOf(parts());
  const text = new TextDecoder().decode(writeManifest(manifest));
  assert.deepEqual(JSON.parse(text), manifest);
  assert.match(text, /^\{\n {2}"format": 1,\n/);
  assert.match(text, /\}\n$/);
});

Deno.test("writeManifest() refuses what a reader would refuse", async () => {
  const manifest = await manifestOf(parts());
  const wrong: readonly (readonly [Manifest, RegExp])[] = [
    [{ ...manifest, name: "Not A Name" }, /^Cannot write the manifest: name: must be lower-case/],
    [{ ...manifest, encoders: [] }, /^Cannot write the manifest: encoders: /],
    [
      { ...manifest, heads: manifest.heads.slice(1) },
      /^Cannot write the manifest: taxonomy polarity answers cross-entropy by the head polarity/,
    ],
  ];
  for (const [value, message] of wrong) {
    assert.throws(() => writeManifest(value), { code: "invalid-bundle", message });
  }
});

Deno.test("writeHead() names tensors after the authors' layers", async () => {
  const { heads } = await open(await bundleOf());
  assert.deepEqual([...heads.values()].map(writeHead), [
    writeHead(crossEntropy),
    writeHead(contrastive),
  ]);
  const header = (bytes: Uint8Array) => new TextDecoder().decode(bytes.subarray(8));
  for (const name of ["img_fc1.kernel", "img_fc1.bias", "preds.kernel", "preds.bias"]) {
    assert.ok(header(writeHead(crossEntropy)).includes(`"${name}"`));
  }
  for (const name of ["img_fc2.kernel", "img_fc2.bias"]) {
    assert.ok(header(writeHead(contrastive)).includes(`"${name}"`));
  }
});
