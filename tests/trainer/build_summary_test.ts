import assert from "node:assert/strict";
import { type BuildReport, type BuiltEncoder, formatBuild } from "../../trainer/build_summary.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const { manifest: { encoders: [float] } } = await makeSyntheticBundle();
const file = { path: "int8/encoder.onnx", bytes: 23_000_000, sha256: "0".repeat(64) };
const INT8: BuiltEncoder = {
  ...float,
  file,
  externalData: [{ ...file, path: "int8/encoder.onnx_data", bytes: 1_100_000 }],
  precision: "int8",
  parity: {
    float: file.sha256,
    tolerance: 0.02,
    cosineMin: 0.99123,
    cosineMedian: 0.998765,
    pictures: 64,
    agreement: [{ taxonomy: "polarity", share: 1 }, { taxonomy: "mikels", share: 0.953 }],
    latency: [{ backend: "native", ratio: 0.4 }, { backend: "wasm", ratio: 0.57 }],
    kept: { nodes: ["/a/MatMul"], share: 0.055 },
  },
  fidelity: {
    pictures: 64,
    bytes: { float: 87_600_000, quantised: 24_100_000, ratio: 0.2751 },
    backends: [],
  },
  search: {
    target: 0.99,
    trials: 3,
    keptShare: 0.055,
    nodes: [{ name: "/a/MatMul", share: 0.055, harm: 0.02, isKept: true }],
  },
};
const REPORT: BuildReport = {
  bundle: { folder: "bundles/mine", digest: `sha256:${"ab".repeat(32)}` },
  space: "someone/clip@1/projection",
  taxonomies: ["polarity", "mikels"],
  encoders: [INT8],
};

Deno.test("formatBuild() says of a variant whom it is for, its size, and what it cost", () => {
  assert.equal(
    formatBuild(REPORT),
    `\
Bundle     bundles/mine (sha256:abababababab)
Space      someone/clip@1/projection
Encoder    int8 for wasm, native: 24.1 MB, 27.5 % of the float file
           cosine to float: min 0.99123, median 0.99877, on 64 pictures
           same best label: polarity 100.0 %, mikels 95.3 %
           time against float: native 0.40, wasm 0.57
           kept in floats: 1 node, 5.5 % of the weights
Zero-shot  polarity, mikels

Target cosine 0.99, met in 3 trials: 1 of 1 nodes stay in floats, 5.5 % of the weights
node       weights    harm
/a/MatMul    5.5 %  2.0e-2  kept`,
  );
});

Deno.test("formatBuild() has a line for floats, and one for a text encoder", () => {
  const textEncoder = {
    embeddingSpace: REPORT.space,
    file: { ...file, bytes: 64_000_000 },
    parity: { cosineMin: 0.9923, cosineMedian: 0.9987, texts: 24 },
    tokenizer: file,
    tokenizerConfig: file,
    contextLength: 77,
    temperature: 0.01,
  };
  const size = (float.file.bytes / 1e6).toFixed(1);
  assert.deepEqual(
    formatBuild({ ...REPORT, encoders: [float], textEncoder }).split("\n").slice(2),
    [
      `Encoder    float32 for wasm, native: ${size} MB`,
      "Text       int8: 64.0 MB, cosine to float: min 0.99230, median 0.99870, on 24 texts",
      "Zero-shot  polarity, mikels",
    ],
  );
});

Deno.test("formatBuild() says where a variant was not measured on its own backend", () => {
  const half: BuiltEncoder = { ...INT8, precision: "float16", backends: ["webgpu"] };
  assert.match(
    formatBuild({ ...REPORT, encoders: [half] }),
    /wasm 0\.57 \(webgpu was not measured\)/,
  );
});
