import { ClipEError, type Manifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import { memoryBudget } from "../../edge/adapter/workerd/memory_budget.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const { manifest } = await makeSyntheticBundle();
const [encoder] = manifest.encoders;
const MEGABYTE = 1_000_000;

/** A bundle whose encoder is of another size. */
function withEncoder(
  megabytes: number,
  change: Partial<Manifest["encoders"][number]> = {},
): Manifest {
  const file = { ...encoder.file, bytes: megabytes * MEGABYTE };
  return { ...manifest, encoders: [{ ...encoder, file, ...change }] };
}

/** What a refusal says. */
function refusal(manifest: Manifest): string {
  let said = "";
  assert.throws(() => memoryBudget(manifest), (error) => {
    assert.ok(error instanceof ClipEError);
    assert.equal(error.code, "invalid-bundle");
    said = error.message;
    return true;
  });
  return said;
}

Deno.test("memoryBudget() lets pictures of 4 megapixels be sent where the model is small", () => {
  const { maxPixels, maxBytes, maxBytesInFlight } = memoryBudget(manifest);
  assert.ok(maxPixels >= 4 * MEGABYTE && maxPixels < 6 * MEGABYTE, `${maxPixels}`);
  assert.ok(maxBytes >= 5 * MEGABYTE && maxBytesInFlight >= 2 * maxBytes);
});

Deno.test("memoryBudget() never gives away more than an isolate has", () => {
  let before = Infinity;
  for (let megabytes = 0; megabytes <= 30; megabytes++) {
    const budget = memoryBudget(withEncoder(megabytes));
    const { isolate, script, runtime, models: [model], whileLoading, maxPixels } = budget;
    assert.ok(model.heap >= 2.1 * megabytes * MEGABYTE, "what was measured");
    assert.ok(whileLoading <= isolate);
    // A lossless WebP, 11.4 bytes a pixel in the decoder, and its pixels outside.
    const picture = Math.max(17 * MEGABYTE, 11.4 * maxPixels) + 4 * maxPixels;
    const uploads = budget.maxBytesInFlight + 2 * budget.maxBytes;
    const all = script + runtime + model.heap + picture + uploads;
    assert.ok(all <= isolate, `${megabytes} MB: ${all}`);
    assert.ok(maxPixels <= before && maxPixels >= MEGABYTE);
    before = maxPixels;
  }
});

Deno.test("memoryBudget() refuses ViT-B/32 in 8-bit integers, with sizes and a way out", () => {
  const said = refusal(withEncoder(88.9, { precision: "int8" }));
  for (const part of ["128 MB", "196 MB", "89 MB", "smaller model", "deno task start"]) {
    assert.ok(said.includes(part), `${part}: ${said}`);
  }
  assert.ok(!said.includes("--precision int8"), "it is in 8-bit integers already");
});

Deno.test("memoryBudget() refuses a large float model, and says that integers are smaller", () => {
  assert.match(refusal(withEncoder(351)), /351 MB.*--precision int8/);
});

Deno.test("memoryBudget() refuses a bundle without an encoder for WebAssembly", () => {
  assert.match(refusal(withEncoder(1, { backends: ["webgpu"] })), /none .* for wasm.*int8/);
});

Deno.test("memoryBudget() counts the largest encoder for WebAssembly, and no other", () => {
  const of = (...encoders: Manifest["encoders"]) => memoryBudget({ ...manifest, encoders }).left;
  const [small] = withEncoder(5).encoders;
  const [large] = withEncoder(20).encoders;
  const [idle] = withEncoder(350, { backends: ["webgpu"] }).encoders;
  assert.equal(of(small, large, idle), of(large));
  assert.ok(of(small) > of(large));
});

Deno.test("memoryBudget() counts weights beside a model, 16-bit floats and a text encoder as they take", () => {
  const of = (manifest: Manifest) => memoryBudget(manifest).left;
  const whole = of(withEncoder(10));
  const beside = { ...encoder.file, path: "weights", bytes: 9 * MEGABYTE };
  assert.ok(of(withEncoder(1, { externalData: [beside] })) > whole);
  assert.ok(of(withEncoder(10, { precision: "float16" })) < whole);
  const file = { ...encoder.file, path: "text.onnx", bytes: 10 * MEGABYTE };
  const textEncoder = {
    embeddingSpace: manifest.embeddingSpace.id,
    file,
    tokenizer: file,
    tokenizerConfig: file,
    contextLength: 77,
    temperature: 0.01,
  };
  assert.ok(of({ ...withEncoder(10), textEncoder }) < whole - 20 * MEGABYTE);
});
