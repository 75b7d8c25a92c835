import { type Manifest, parseManifest } from "@clip-e/shared";
import assert from "node:assert/strict";

const file = (path: string) => ({ path, bytes: 3, sha256: "0123456789abcdef".repeat(4) });

/** A valid manifest, as parsed JSON. */
function valid(): Manifest {
  const embeddingSpace = "openai/clip-vit-base-patch32@3d74acf";
  return {
    format: 1,
    name: "tiny",
    embeddingSpace: { id: embeddingSpace, size: 512 },
    encoders: [{
      file: file("encoders/int8.onnx"),
      precision: "int8",
      backends: ["wasm", "native"],
      input: { resize: 224, crop: 224 },
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      interpolation: "bicubic",
      resizeMode: "shortest",
    }],
    golden: { formula: "waves-1", file: file("golden.safetensors"), tolerance: 0.05 },
    heads: [
      {
        id: "polarity",
        kind: "cross-entropy",
        embeddingSpace,
        file: file("heads/polarity.safetensors"),
      },
      { id: "all", kind: "contrastive", embeddingSpace, file: file("heads/all.safetensors") },
    ],
    prompts: [{
      taxonomy: "polarity",
      embeddingSpace,
      texts: [["a photo that evokes a negative feeling"], [
        "a photo that evokes a positive feeling",
      ]],
      file: file("prompts/polarity.safetensors"),
    }],
    taxonomies: [{
      id: "polarity",
      title: "Polarity",
      labels: [{ id: "negative", title: "Negative" }, { id: "positive", title: "Positive" }],
      methods: [
        {
          method: "cross-entropy",
          head: "polarity",
          temperature: 1.3,
          figures: { accuracy: 0.8 },
          measured: "a fifth of the pictures, kept apart",
        },
        { method: "contrastive", head: "all", temperature: 0.1 },
        { method: "zero-shot", temperature: 0.01 },
      ],
    }],
    provenance: { encoder: "drawn at random" },
    license: "CC0-1.0",
    modelCard: file("README.md"),
  };
}

/** A text encoder of the valid manifest's space. */
function textEncoder() {
  return {
    embeddingSpace: valid().embeddingSpace.id,
    file: file("text/encoder.onnx"),
    tokenizer: file("text/tokenizer.json"),
    tokenizerConfig: file("text/tokenizer_config.json"),
    contextLength: 64,
    temperature: 0.01,
  };
}

/** A copy of the valid manifest with the value at a path replaced, or taken out where it is `undefined`. */
function changed(path: string, value: unknown): unknown {
  const root: unknown = structuredClone(valid());
  const names = path.split(".");
  const last = names.pop() ?? "";
  let at: unknown = root;
  for (const name of names) at = Reflect.get(Object(at), name);
  if (value === undefined) Reflect.deleteProperty(Object(at), last);
  else Reflect.set(Object(at), last, value);
  return root;
}

Deno.test("parseManifest() reads a valid manifest, through JSON", () => {
  assert.deepEqual(parseManifest(JSON.parse(JSON.stringify(valid()))), valid());
});

Deno.test("parseManifest() needs no model card, figures, or words on what was measured", () => {
  const without = valid();
  delete without.modelCard;
  delete without.taxonomies[0].methods[0].figures;
  delete without.taxonomies[0].methods[0].measured;
  assert.deepEqual(parseManifest(without), without);
});

Deno.test("parseManifest() takes one method, short ids, and ids that begin with a digit", () => {
  const small = valid();
  small.name = "9";
  small.taxonomies[0].methods = [{ method: "zero-shot", temperature: 1 }];
  small.embeddingSpace.id = "A";
  for (const part of [...small.heads, ...small.prompts]) part.embeddingSpace = "A";
  assert.deepEqual(parseManifest(small), small);
});

Deno.test("parseManifest() reads a sigmoid and its bias, and leaves out what is not said", () => {
  const sigmoid = { normalization: "sigmoid", bias: -12.9 } as const;
  const zeroShot = { method: "zero-shot", temperature: 0.01 };
  for (const scoring of [{}, { normalization: "softmax" }, { normalization: "sigmoid" }, sigmoid]) {
    const { taxonomies } = parseManifest(
      changed("taxonomies.0.methods.2", { ...zeroShot, ...scoring }),
    );
    assert.deepEqual(taxonomies[0].methods[2], { ...zeroShot, ...scoring });
  }
  const text = { ...textEncoder(), ...sigmoid };
  assert.deepEqual(parseManifest(changed("textEncoder", text)).textEncoder, text);
});

Deno.test("parseManifest() takes 1 for a temperature that is not given", () => {
  const manifest = parseManifest(changed("taxonomies.0.methods.1.temperature", undefined));
  assert.equal(manifest.taxonomies[0].methods[1].temperature, 1);
});

Deno.test("parseManifest() takes the shorter side where a bundle says no resizeMode", () => {
  assert.deepEqual(parseManifest(changed("encoders.0.resizeMode", undefined)), valid());
});

Deno.test("parseManifest() reads bilinear, and squash where nothing is cropped", () => {
  for (const [path, value] of [["interpolation", "bilinear"], ["resizeMode", "squash"]]) {
    const json = changed(`encoders.0.${path}`, value);
    assert.deepEqual(parseManifest(json), json, path);
  }
  const cropped = valid();
  cropped.encoders[0].resizeMode = "squash";
  cropped.encoders[0].input = { resize: 256, crop: 224 };
  assert.throws(() => parseManifest(cropped), {
    message: "encoders.0.input: crop must be resize where resizeMode is squash",
  });
});

Deno.test("parseManifest() ignores fields that it does not know, wherever they are", () => {
  for (
    const path of [
      "later",
      "encoders.0.later",
      "encoders.0.file.later",
      "golden.later",
      "heads.0.later",
    ]
      .concat(["prompts.0.later", "taxonomies.0.later", "taxonomies.0.labels.0.later"])
      .concat(["taxonomies.0.methods.0.later", "embeddingSpace.later", "encoders.0.input.later"])
  ) {
    assert.deepEqual(parseManifest(changed(path, { a: [1] })), valid(), path);
  }
});

Deno.test("parseManifest() reads methods, kinds of head, precisions and backends that it does not know", () => {
  for (
    const [path, value] of [
      ["taxonomies.0.methods.2.method", "attention-pooling"],
      ["heads.0.kind", "low-rank"],
      ["encoders.0.precision", "int4"],
      ["encoders.0.backends", ["webnn"]],
    ] as const
  ) {
    const json = changed(path, value);
    assert.deepEqual(parseManifest(json), json, path);
  }
});

Deno.test("parseManifest() reads what quantising cost, and bundles that say less of it", () => {
  const older = {
    float: file("").sha256,
    tolerance: 0.02,
    cosineMin: 0.991,
    cosineMedian: 0.998,
    pictures: 64,
  };
  const whole = {
    ...older,
    agreement: [{ taxonomy: "polarity", share: 1 }, { taxonomy: "mikels", share: 0.953125 }],
    latency: [{ backend: "native", ratio: 0.36 }, { backend: "wasm", ratio: 0 }],
    kept: { nodes: ["/layers.2/mlp/fc1/MatMul"], share: 0.055 },
  };
  for (const parity of [older, { ...older, latency: whole.latency }, whole]) {
    assert.deepEqual(
      parseManifest(changed("encoders.0.parity", parity)).encoders[0].parity,
      parity,
    );
  }
  for (
    const wrong of [
      { agreement: [{ taxonomy: "polarity", share: 1.01 }] },
      { agreement: [{ taxonomy: "A b", share: 1 }] },
      { latency: [{ backend: "wasm", ratio: -1 }] },
      { kept: { nodes: [], share: 0 } },
      { kept: { nodes: ["a"], share: -0.1 } },
    ]
  ) {
    assert.throws(
      () => parseManifest(changed("encoders.0.parity", { ...older, ...wrong })),
      /^Error: encoders\.0\.parity\./,
      JSON.stringify(wrong),
    );
  }
});

Deno.test("parseManifest() reads prompts for a taxonomy that is not listed", () => {
  const json = changed("prompts.0.taxonomy", "weather");
  assert.deepEqual(parseManifest(json), json);
});

Deno.test("parseManifest() refuses another major format, before it looks at anything else", () => {
  for (const format of [0, 2, 1.5, "1", null, [1]]) {
    assert.throws(() => parseManifest({ format }), {
      message: `its format is ${format}, and this version reads format 1`,
    });
  }
});

/** Paths that would leave the bundle, or name one of its files in a second way. */
const BAD_PATHS = [
  "",
  ".",
  "..",
  "../x",
  "a/../x",
  "a/..",
  "./a",
  "a/./b",
  "a/.",
  "/abs",
  "a//b",
  "a/",
  "//a",
  "a\\b",
  "..\\x",
  "C:\\x",
  "file:///x",
  "http://x.invalid/x",
  "a%2e%2e/x",
  "a b",
  "a\n",
  "a\0",
  "é",
  "a?b",
  "a#b",
];

Deno.test("parseManifest() refuses a path that is not plainly within the bundle", () => {
  const message = "encoders.0.file.path: must be a plain relative path";
  for (const path of BAD_PATHS) {
    const json = changed("encoders.0.file.path", path);
    assert.throws(() => parseManifest(json), { message }, JSON.stringify(path));
  }
});

Deno.test("parseManifest() takes dots in names that are not steps", () => {
  for (const path of ["a", "a.b", "..a", "a..", "...", "a/.b", ".a/b", "A-1/b_2/c.onnx"]) {
    const json = changed("encoders.0.file.path", path);
    assert.deepEqual(parseManifest(json), json, path);
  }
});

/** One wrong value each: where it is, what it is, and how the message begins. */
const REFUSED: readonly (readonly [path: string, value: unknown, message: RegExp])[] = [
  ["format", undefined, /^format: /],
  ["name", undefined, /^name: /],
  ["name", "Tiny Bundle", /^name: must be lower-case letters, digits, \. _ -$/],
  ["name", "", /^name: must be lower-case/],
  ["embeddingSpace", undefined, /^embeddingSpace: /],
  ["embeddingSpace.id", "", /^embeddingSpace\.id: /],
  ["embeddingSpace.size", 0, /^embeddingSpace\.size: /],
  ["embeddingSpace.size", 1.5, /^embeddingSpace\.size: /],
  ["encoders", [], /^encoders: /],
  ["encoders.0.file", undefined, /^encoders\.0\.file: /],
  ["encoders.0.file.bytes", -1, /^encoders\.0\.file\.bytes: /],
  ["encoders.0.file.bytes", 1.5, /^encoders\.0\.file\.bytes: /],
  ["encoders.0.file.bytes", "3", /^encoders\.0\.file\.bytes: /],
  ["encoders.0.file.sha256", "abc", /^encoders\.0\.file\.sha256: must be 64 hexadecimal digits$/],
  ["encoders.0.file.sha256", "A".repeat(64), /^encoders\.0\.file\.sha256: must be 64/],
  ["encoders.0.backends", [], /^encoders\.0\.backends: /],
  ["encoders.0.input.crop", 0, /^encoders\.0\.input\.crop: /],
  ["encoders.0.input.resize", 223, /^encoders\.0\.input: crop must be at most resize$/],
  ["encoders.0.mean", [0.5, 0.5], /^encoders\.0\.mean: /],
  ["encoders.0.mean.1", null, /^encoders\.0\.mean\.1: /],
  ["encoders.0.std", [0.2, 0, 0.2], /^encoders\.0\.std: must be above 0$/],
  ["encoders.0.std", [0.2, -1, 0.2], /^encoders\.0\.std: must be above 0$/],
  [
    "encoders.0.interpolation",
    "lanczos",
    /^encoders\.0\.interpolation: must be bicubic or bilinear, and is "lanczos"$/,
  ],
  ["encoders.0.interpolation", undefined, /^encoders\.0\.interpolation: must be bicubic or/],
  [
    "encoders.0.resizeMode",
    "longest",
    /^encoders\.0\.resizeMode: must be shortest or squash, and is "longest"$/,
  ],
  ["golden", undefined, /^golden: /],
  ["golden.formula", "waves-2", /^golden\.formula: /],
  ["golden.file.path", "../golden", /^golden\.file\.path: must be a plain relative path$/],
  ["golden.tolerance", 0, /^golden\.tolerance: /],
  ["golden.tolerance", Infinity, /^golden\.tolerance: /],
  ["heads", undefined, /^heads: /],
  ["heads.1.id", "../all", /^heads\.1\.id: must be lower-case/],
  ["heads.1.file.path", "/all", /^heads\.1\.file\.path: must be a plain relative path$/],
  ["prompts.0.texts", ["negative", "positive"], /^prompts\.0\.texts\.0: /],
  ["prompts.0.file.path", "a//b", /^prompts\.0\.file\.path: must be a plain relative path$/],
  ["taxonomies", [], /^taxonomies: /],
  ["taxonomies.0.id", "Polarity", /^taxonomies\.0\.id: must be lower-case/],
  ["taxonomies.0.labels", [{ id: "a", title: "A" }], /^taxonomies\.0\.labels: /],
  ["taxonomies.0.labels.1.id", "very good", /^taxonomies\.0\.labels\.1\.id: must be lower-case/],
  ["taxonomies.0.labels.1.title", undefined, /^taxonomies\.0\.labels\.1\.title: /],
  ["taxonomies.0.methods", [], /^taxonomies\.0\.methods: /],
  ["taxonomies.0.methods.0.temperature", 0, /^taxonomies\.0\.methods\.0\.temperature: /],
  ["taxonomies.0.methods.0.temperature", -1, /^taxonomies\.0\.methods\.0\.temperature: /],
  [
    "taxonomies.0.methods.2.normalization",
    "softplus",
    /^taxonomies\.0\.methods\.2\.normalization: must be softmax or sigmoid, and is "softplus"$/,
  ],
  [
    "taxonomies.0.methods.0.normalization",
    "sigmoid",
    /^taxonomies\.0\.methods\.0\.normalization: a cross-entropy head is trained for softmax$/,
  ],
  [
    "taxonomies.0.methods.2.bias",
    -1,
    /^taxonomies\.0\.methods\.2\.bias: goes with normalization sigmoid alone$/,
  ],
  [
    "textEncoder",
    { ...textEncoder(), bias: -1 },
    /^textEncoder\.bias: goes with normalization sigmoid alone$/,
  ],
  ["taxonomies.0.methods.0.figures", { f1: "1" }, /^taxonomies\.0\.methods\.0\.figures\.f1: /],
  ["provenance", ["drawn"], /^provenance: /],
  ["license", undefined, /^license: /],
  ["modelCard.path", "..", /^modelCard\.path: must be a plain relative path$/],
];

for (const [path, value, message] of REFUSED) {
  const what = value === undefined ? "nothing" : JSON.stringify(value);
  Deno.test(`parseManifest() names ${path} when it is ${what.slice(0, 40)}`, () => {
    assert.throws(() => parseManifest(changed(path, value)), { name: "Error", message });
  });
}

Deno.test("parseManifest() refuses what is no object", () => {
  for (const json of [null, undefined, 1, "manifest", [], [valid()]]) {
    assert.throws(() => parseManifest(json), { name: "Error", message: /^it: / });
  }
});

Deno.test("parseManifest() refuses a head or prompts of another embedding space, though sizes agree", () => {
  assert.throws(() => parseManifest(changed("heads.1.embeddingSpace", "other")), {
    message:
      "head all is for the space other, the encoder's is openai/clip-vit-base-patch32@3d74acf",
  });
  assert.throws(() => parseManifest(changed("prompts.0.embeddingSpace", "other")), {
    message: "the prompts of polarity are of the space other, " +
      "the encoder's is openai/clip-vit-base-patch32@3d74acf",
  });
});

Deno.test("parseManifest() refuses prompts for more or fewer labels than the taxonomy has", () => {
  for (const count of [0, 1, 3]) {
    const texts = Array.from({ length: count }, () => ["a photo"]);
    assert.throws(() => parseManifest(changed("prompts.0.texts", texts)), {
      message: `taxonomy polarity has 2 labels, but prompts for ${count}`,
    });
  }
});

Deno.test("parseManifest() refuses a method whose head is not listed", () => {
  assert.throws(() => parseManifest(changed("taxonomies.0.methods.1.head", "gone")), {
    message: "taxonomy polarity answers contrastive by the head gone, which is not listed",
  });
});

Deno.test("parseManifest() refuses an id that is listed twice, which would hide the first", () => {
  const { heads, prompts, taxonomies } = valid();
  const [{ labels }] = taxonomies;
  const twice: readonly (readonly [path: string, value: unknown, message: string])[] = [
    ["heads", [...heads, heads[1]], "head all is listed more than once"],
    ["prompts", [...prompts, ...prompts], "prompts of taxonomy polarity is listed more than once"],
    ["taxonomies", [...taxonomies, ...taxonomies], "taxonomy polarity is listed more than once"],
    [
      "taxonomies.0.labels",
      [labels[0], labels[0]],
      "taxonomy polarity label negative is listed more than once",
    ],
  ];
  for (const [path, value, message] of twice) {
    assert.throws(() => parseManifest(changed(path, value)), { message });
  }
});
