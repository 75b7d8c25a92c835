import {
  type ContrastiveHead,
  type CrossEntropyHead,
  type Dense,
  type Head,
  type IntegerTensor,
  readSafetensorsFile,
  type Tensor,
  writeHead,
  writeSafetensors,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { readHead } from "../../shared/head_file.ts";
import { seededRandom } from "../random.ts";

const SIZE = 4;
const HIDDEN = 3;
const random = seededRandom(1);

function dense(inputs: number, units: number): Dense {
  return { inputs, units, kernel: random.floats(inputs * units), bias: random.floats(units) };
}

const crossEntropy: CrossEntropyHead = {
  kind: "cross-entropy",
  img_fc1: dense(SIZE, HIDDEN),
  preds: dense(HIDDEN, 3),
};
const contrastive: ContrastiveHead = {
  kind: "contrastive",
  img_fc1: dense(SIZE, HIDDEN),
  img_fc2: dense(HIDDEN, SIZE),
};
const groups = Int32Array.of(1, -1, 0);

const VARIANTS: Readonly<Record<string, Head>> = {
  "a cross-entropy head of unit input": { ...crossEntropy, input: "unit" },
  "a grouped head": { ...crossEntropy, groups },
  "a grouped head of unit input": { ...crossEntropy, input: "unit", groups },
  "a contrastive head of unit input": { ...contrastive, input: "unit" },
  "a blended head": { ...contrastive, blend: 0.2 },
  "a head blended with nothing of itself": { ...contrastive, blend: 0 },
  "a blended head of unit input": { ...contrastive, input: "unit", blend: 1 / 3 },
};

for (const [what, head] of Object.entries({ ...VARIANTS, crossEntropy, contrastive })) {
  Deno.test(`readHead() reads ${what} as writeHead() wrote it`, () => {
    assert.deepEqual(readHead(head.kind, writeHead(head), SIZE), head);
  });
}

for (const [what, head] of Object.entries(VARIANTS)) {
  Deno.test(`writeHead() hides ${what} from readers that know only the published heads`, () => {
    const { tensors } = readSafetensorsFile(writeHead(head));
    assert.equal(tensors.has("img_fc1.kernel"), false);
    assert.deepEqual(tensors.get("variant.img_fc1.kernel"), {
      shape: [SIZE, HIDDEN],
      data: head.img_fc1.kernel,
    });
  });
}

Deno.test("writeHead() writes a head that says raw as one that does not say", () => {
  assert.deepEqual(writeHead({ ...crossEntropy, input: "raw" }), writeHead(crossEntropy));
  assert.equal(readSafetensorsFile(writeHead(crossEntropy)).metadata.size, 0);
});

Deno.test("readHead() takes no notice of metadata that it does not know", () => {
  const bytes = writeSafetensors(layers(crossEntropy), { format: "pt", input: "raw" });
  assert.deepEqual(readHead("cross-entropy", bytes, SIZE), crossEntropy);
});

type Tensors = Record<string, Tensor | IntegerTensor>;

/** A head's tensors, by hand. */
function layers(head: Head, prefix = ""): Tensors {
  const second = head.kind === "cross-entropy" ? "preds" : "img_fc2";
  const { inputs, units, kernel, bias } = head.kind === "cross-entropy" ? head.preds : head.img_fc2;
  return {
    [`${prefix}img_fc1.kernel`]: { shape: [SIZE, HIDDEN], data: head.img_fc1.kernel },
    [`${prefix}img_fc1.bias`]: { shape: [HIDDEN], data: head.img_fc1.bias },
    [`${second}.kernel`]: { shape: [inputs, units], data: kernel },
    [`${second}.bias`]: { shape: [units], data: bias },
  };
}

function grouped(...labels: number[]): Tensors {
  const data = Int32Array.from(labels);
  return { ...layers(crossEntropy, "variant."), "preds.groups": { shape: [data.length], data } };
}

const narrow = { ...contrastive, img_fc2: dense(HIDDEN, 2) };

/** What is wrong, the kind, the tensors, the metadata, and what is said. */
const REFUSED: readonly (readonly [
  string,
  Head["kind"],
  Tensors,
  Record<string, string>,
  RegExp,
])[] = [
  [
    "of an input that it does not know",
    "cross-entropy",
    layers(crossEntropy, "variant."),
    { input: "whitened" },
    /its input is whitened, which is none of raw,unit$/,
  ],
  [
    "of unit input under a plain head's names",
    "cross-entropy",
    layers(crossEntropy),
    { input: "unit" },
    /there is no matrix variant\.img_fc1\.kernel$/,
  ],
  [
    "under a variant's names that does not say which variant",
    "contrastive",
    layers(contrastive, "variant."),
    {},
    /there is no matrix img_fc1\.kernel$/,
  ],
  ...["", "1.1", "-0.1", "half", "NaN"].map((blend) =>
    [
      `with the blend ${JSON.stringify(blend)}`,
      "contrastive",
      layers(contrastive, "variant."),
      { blend },
      /its blend is .*, which is not 0 to 1$/,
    ] as const
  ),
  [
    "that blends vectors of two sizes",
    "contrastive",
    layers(narrow, "variant."),
    { blend: "0.5" },
    /it blends a projection of 2 numbers with an embedding of 4$/,
  ],
  [
    "with fewer groups than labels",
    "cross-entropy",
    grouped(0, 1),
    {},
    /preds\.groups has the shape \[2\], expected \[3\]$/,
  ],
  [
    "with a group below -1",
    "cross-entropy",
    grouped(0, 1, -2),
    {},
    /preds\.groups names the label -2$/,
  ],
  [
    "with a group that is left empty",
    "cross-entropy",
    grouped(0, 2, 2),
    {},
    /preds\.groups leaves label 1 empty$/,
  ],
  [
    "with groups so far apart that most are empty",
    "cross-entropy",
    grouped(0, 1, 2 ** 31 - 1),
    {},
    /preds\.groups leaves label 2 empty$/,
  ],
  [
    "with one group",
    "cross-entropy",
    grouped(0, 0, -1),
    {},
    /preds\.groups names 1 labels, and 2 are needed$/,
  ],
];

for (const [what, kind, tensors, metadata, message] of REFUSED) {
  Deno.test(`readHead() refuses a head ${what}`, () => {
    const bytes = writeSafetensors(tensors, metadata);
    assert.throws(() => readHead(kind, bytes, SIZE), {
      name: "ClipEError",
      code: "invalid-bundle",
      message,
    });
  });
}
