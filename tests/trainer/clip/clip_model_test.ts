import assert from "node:assert/strict";
import { readClipConfig } from "../../../trainer/clip/clip_model.ts";

const folder = await Deno.makeTempDir({ prefix: "clip_e_config_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

async function read(config: unknown): ReturnType<typeof readClipConfig> {
  const path = `${folder}/config.json`;
  await Deno.writeTextFile(path, JSON.stringify(config));
  return await readClipConfig(path);
}

Deno.test("readClipConfig() reads the length of texts, or takes the kind's own", async () => {
  const clip = { normalization: "softmax", contextLength: 77 };
  const siglip = { normalization: "sigmoid", contextLength: 64 };
  const text = (length: number) => ({ max_position_embeddings: length });
  const onnxAlone = { model_type: "clip", "transformers.js_config": { dtype: "fp32" } };
  assert.deepEqual(await read(onnxAlone), clip);
  assert.deepEqual(await read({ model_type: "clip", text_config: {} }), clip);
  assert.deepEqual(await read({ model_type: "clip", text_config: text(32) }), {
    ...clip,
    contextLength: 32,
  });
  assert.deepEqual(await read({ model_type: "siglip", text_config: { hidden_size: 8 } }), siglip);
  assert.deepEqual(await read({ model_type: "siglip", text_config: text(16) }), {
    ...siglip,
    contextLength: 16,
  });
});

Deno.test("readClipConfig() refuses another kind of model by its name", async () => {
  for (const type of ["siglip2", "chinese_clip", "toString", undefined]) {
    await assert.rejects(read({ model_type: type }), {
      name: "TrainerError",
      message: new RegExp(`its model_type is ${type}, not clip or siglip$`),
    });
  }
});

Deno.test("readClipConfig() refuses a length that texts cannot have", async () => {
  for (const length of [1, 7.5, "77"]) {
    const text = { max_position_embeddings: length };
    await assert.rejects(read({ model_type: "clip", text_config: text }), {
      message: /its max_position_embeddings is /,
    });
  }
});
