import assert from "node:assert/strict";
import { findClipScoring } from "../../../trainer/clip/clip_scoring.ts";
import { findKnownModel, KNOWN_MODELS } from "../../../trainer/clip/known_models.ts";

const SIGLIP = "google/siglip-base-patch16-224";

Deno.test("findClipScoring() takes the user's numbers before those that are known", () => {
  assert.deepEqual(findClipScoring("openai/clip-vit-base-patch32", "softmax", { logitScale: 50 }), {
    scoring: { temperature: 1 / 50 },
    isAssumed: false,
  });
  const { scoring } = findClipScoring(SIGLIP, "sigmoid", { logitScale: 10, logitBias: -10 });
  assert.deepEqual(scoring, { temperature: 0.1, normalization: "sigmoid", bias: -10 });
});

Deno.test("findClipScoring() knows a model by its authors' name and by its repository's", () => {
  for (const name of [SIGLIP, "Xenova/siglip-base-patch16-224"]) {
    const { scoring, isAssumed } = findClipScoring(name, "sigmoid");
    assert.equal(isAssumed, false);
    assert.ok(Math.abs(1 / scoring.temperature - 117.33) < 0.01);
    assert.ok(Math.abs((scoring.bias ?? 0) + 12.93) < 0.01);
  }
});

Deno.test("findClipScoring() assumes CLIP's own scale where nothing is known, and says so", () => {
  assert.deepEqual(findClipScoring("some/body", "softmax"), {
    scoring: { temperature: 0.01 },
    isAssumed: true,
  });
});

Deno.test("findClipScoring() assumes nothing of a SigLIP model", () => {
  for (const given of [{}, { logitScale: 117 }, { logitBias: -12.9 }]) {
    assert.throws(() => findClipScoring("some/body", "sigmoid", given), {
      name: "TrainerError",
      message: /--logit-scale=N.*--logit-bias=N/,
    });
  }
});

Deno.test("findClipScoring() refuses a bias for a model of CLIP's kind", () => {
  assert.throws(() => findClipScoring("some/body", "softmax", { logitBias: -1 }), {
    name: "UsageError",
    message: /--logit-bias is for SigLIP/,
  });
});

Deno.test("findKnownModel() knows nothing of a name that objects have", () => {
  assert.equal(findKnownModel("constructor"), undefined);
  for (const [name, known] of Object.entries(KNOWN_MODELS)) {
    assert.equal(findKnownModel(name), known);
    assert.equal(findKnownModel(known.repository), known);
  }
});
