import { CLIP_PREPROCESSING, type Manifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import { type Addition, checkAddition } from "../../../trainer/bundle/check_addition.ts";
import { TrainerError } from "../../../trainer/errors.ts";

const { resize, crop, mean, std, interpolation } = CLIP_PREPROCESSING;
const file = (name: string) => ({ path: name, bytes: 1, sha256: name });
const labels = (...ids: string[]) => ids.map((id) => ({ id, title: id, prompt: "" }));

const MANIFEST: Manifest = {
  format: 1,
  name: "moods",
  embeddingSpace: { id: "space-1", size: 8 },
  encoders: [{
    file: file("encoder"),
    precision: "float32",
    backends: ["wasm"],
    input: { resize, crop },
    mean: [...mean],
    std: [...std],
    interpolation,
  }],
  golden: { formula: "waves-1", file: file("golden"), tolerance: 1e-3 },
  heads: [],
  prompts: [{
    taxonomy: "weather",
    embeddingSpace: "space-1",
    texts: [["sun"], ["rain"]],
    file: file("weather"),
  }],
  taxonomies: [
    {
      id: "polarity",
      title: "Polarity",
      labels: labels("negative", "positive"),
      methods: [{ method: "cross-entropy", temperature: 1 }, {
        method: "zero-shot",
        temperature: 1,
      }],
    },
    {
      id: "trained",
      title: "Trained",
      labels: labels("a", "b"),
      methods: [{ method: "cross-entropy", temperature: 1 }],
    },
    {
      id: "weather",
      title: "Weather",
      labels: labels("sun", "rain"),
      methods: [{ method: "cross-entropy", temperature: 1 }],
    },
  ],
  provenance: { encoder: "a hub" },
  license: "MIT",
  about: "About moods.",
};

const FITTING: Addition = {
  given: {},
  embeddingSpace: "space-1",
  encoder: { sha256: "encoder", preprocessing: CLIP_PREPROCESSING },
  taxonomy: { id: "polarity", labels: labels("negative", "positive") },
};

const check = (change: Partial<Addition>) => checkAddition(MANIFEST, { ...FITTING, ...change });

Deno.test("checkAddition() lets pass what says the same as the bundle, or nothing", () => {
  check({});
  check({
    given: {
      name: "moods",
      embeddingSpace: "space-1",
      license: "MIT",
      encoderOrigin: "a hub",
      about: "About moods.\n",
    },
  });
});

const OTHER: readonly (readonly [string, Addition["given"], string])[] = [
  ["name", { name: "feelings" }, "moods"],
  ["space", { embeddingSpace: "space-2" }, "space-1"],
  ["license", { license: "CC0" }, "MIT"],
  ["origin", { encoderOrigin: "elsewhere" }, "a hub"],
  ["about", { about: "Other words." }, "About moods."],
];

for (const [option, given, has] of OTHER) {
  Deno.test(`checkAddition() refuses another --${option}, and says what the bundle has`, () => {
    assert.throws(
      () => check({ given }),
      (error) =>
        error instanceof TrainerError && error.message.includes(`--${option} is`) &&
        error.message.includes(`the bundle's is "${has}"`),
    );
  });
}

Deno.test("checkAddition() refuses another encoder, preprocessing or space", () => {
  const { preprocessing } = FITTING.encoder;
  assert.throws(() => check({ encoder: { sha256: "b", preprocessing } }), /another encoder/);
  for (
    const other of [{ crop: 64 }, { interpolation: "bilinear" }, { resizeMode: "squash" }] as const
  ) {
    assert.throws(
      () =>
        check({ encoder: { sha256: "encoder", preprocessing: { ...preprocessing, ...other } } }),
      /preprocesses pictures in another way/,
    );
  }
  check({
    encoder: { sha256: "encoder", preprocessing: { ...preprocessing, resizeMode: "shortest" } },
  });
  assert.throws(() => check({ embeddingSpace: "onnx-1" }), /its embedding space is space-1/);
});

Deno.test("checkAddition() refuses other labels of a taxonomy that other methods answer for", () => {
  for (const some of [["positive", "negative"], ["negative", "neutral", "positive"]]) {
    assert.throws(
      () => check({ taxonomy: { id: "polarity", labels: labels(...some) } }),
      /its polarity has the labels negative, positive, in this order, for zero-shot/,
    );
  }
  assert.throws(
    () => check({ taxonomy: { id: "weather", labels: labels("rain", "sun") } }),
    /its weather has the labels sun, rain, in this order, for prompts/,
  );
});

Deno.test("checkAddition() lets other labels replace those of a head that stands alone", () => {
  check({ taxonomy: { id: "trained", labels: labels("b", "c", "a") } });
  check({ taxonomy: { id: "new", labels: labels("b", "a") } });
});
