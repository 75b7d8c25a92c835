import type { Manifest, ManifestEncoder, ManifestParity } from "@clip-e/shared";
import assert from "node:assert/strict";
import { describeParities } from "../../../trainer/bundle/parity_card.ts";
import { makeSyntheticBundle } from "../../synthetic_bundle.ts";

const { manifest } = await makeSyntheticBundle();
const OLDER: ManifestParity = {
  float: "0".repeat(64),
  tolerance: 0.02,
  cosineMin: 0.991234,
  cosineMedian: 0.998765,
  pictures: 64,
};

function withParity(parity: ManifestParity, more: Partial<ManifestEncoder> = {}): Manifest {
  const [encoder] = manifest.encoders;
  return { ...manifest, encoders: [{ ...encoder, precision: "int8", parity, ...more }] };
}

Deno.test("describeParities() says nothing of an encoder that is as it was found", () => {
  assert.deepEqual(describeParities(manifest), []);
});

Deno.test("describeParities() tells cosines, agreement and time of a variant, and the nodes that were kept", () => {
  const [heading, paragraph, table, kept] = describeParities(withParity({
    ...OLDER,
    agreement: [{ taxonomy: "polarity", share: 0.953 }],
    latency: [{ backend: "native", ratio: 0.4 }, { backend: "wasm", ratio: 0.57 }],
    kept: { nodes: ["/a/MatMul", "/b/MatMul"], share: 0.055 },
  }));
  assert.equal(heading, "## What quantising cost");
  assert.match(paragraph, /^The int8 encoder, for wasm and native, .* on 64 pictures\. /);
  assert.equal(
    table,
    [
      "| measure | figure |",
      "| --- | --- |",
      "| cosine of the embeddings, least | 0.99123 |",
      "| cosine of the embeddings, median | 0.99877 |",
      "| same best label by prompts, polarity | 95.3 % |",
      "| part of the float encoder's time, native | 0.40 |",
      "| part of the float encoder's time, wasm | 0.57 |",
    ].join("\n"),
  );
  assert.match(
    kept,
    /2 nodes are in 32-bit floats, 5\.5 % of the .*: `\/a\/MatMul`, `\/b\/MatMul`/,
  );
});

Deno.test("describeParities() says that a variant for WebGPU was not measured there", () => {
  const measured = { ...OLDER, latency: [{ backend: "wasm", ratio: 1.3 }] };
  const [, half] = describeParities(
    withParity(measured, { precision: "float16", backends: ["webgpu"] }),
  );
  assert.match(half, /The float16 encoder, for webgpu, .* not on webgpu/);
});

Deno.test("describeParities() leaves out what an older bundle does not say", () => {
  const [, paragraph, table, ...more] = describeParities(withParity(OLDER));
  assert.doesNotMatch(paragraph, /not on/);
  assert.equal(table.split("\n").length, 4);
  assert.deepEqual(more, []);
});

Deno.test("describeParities() tells of a quantised text encoder", () => {
  const { file } = manifest.golden;
  const textEncoder = {
    embeddingSpace: manifest.embeddingSpace.id,
    file,
    parity: { cosineMin: 0.9923, cosineMedian: 0.9987, texts: 24 },
    tokenizer: file,
    tokenizerConfig: file,
    contextLength: 77,
    temperature: 0.01,
  };
  const [, paragraph] = describeParities({ ...manifest, textEncoder });
  assert.match(paragraph, /text encoder.* over 24 texts.* 0\.99870 in the median.* 0\.99230\. /);
});
