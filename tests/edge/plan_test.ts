import assert from "node:assert/strict";
import type { Method, MethodInfo, ModelInfo } from "../../edge/model_info.ts";
import { type ClassifyOptions, planPredictions } from "../../edge/plan.ts";

const WHOLE = undefined;

/** Methods, best first, each whole or with a fault. */
function methods(
  faults: Partial<Record<Method, MethodInfo["fault"]>>,
): MethodInfo[] {
  return Object.entries(faults).map(([method, fault], i) => ({
    method: method as Method,
    temperature: i + 1,
    normalization: "softmax",
    available: fault === undefined,
    ...(fault && { fault }),
  }));
}

function model(...taxonomies: MethodInfo[][]): ModelInfo {
  return {
    name: "test",
    bundle: "sha256:0",
    embeddingSpace: { id: "test", size: 2 },
    encoder: { file: "encoder.onnx", precision: "float32", backend: "wasm", crop: 32 },
    taxonomies: taxonomies.map((methods, i) => ({
      id: `t${i}`,
      title: `Taxonomy ${i}`,
      labels: [{ id: "a", title: "A" }, { id: "b", title: "B" }],
      methods,
    })),
    faults: [],
    provenance: {},
    license: "MIT",
  };
}

/** What is planned, in short. */
function plan(model: ModelInfo, options?: ClassifyOptions): string[] {
  return planPredictions(model, options).map(({ taxonomy, method, temperature, degraded }) =>
    `${taxonomy.id} ${method} ${temperature}${degraded ? " degraded" : ""}`
  );
}

const two = model(
  methods({ "cross-entropy": WHOLE, "contrastive": WHOLE, "zero-shot": WHOLE }),
  methods({ "zero-shot": WHOLE, "contrastive": WHOLE }),
);

Deno.test("planPredictions() takes each taxonomy's best method", () => {
  const expected = ["t0 cross-entropy 1", "t1 zero-shot 1"];
  assert.deepEqual(plan(two), expected);
  assert.deepEqual(plan(two, {}), expected);
  assert.deepEqual(plan(two, { method: "auto", taxonomies: [] }), expected);
});

Deno.test("planPredictions() answers each taxonomy asked for once, in the order asked", () => {
  assert.deepEqual(
    plan(two, { taxonomies: ["t1", "t0", "t1"] }),
    ["t1 zero-shot 1", "t0 cross-entropy 1"],
  );
});

Deno.test("planPredictions() passes over a missing method, which degrades nothing", () => {
  const bundle = model(methods({ "cross-entropy": "missing", "zero-shot": WHOLE }));
  assert.deepEqual(plan(bundle), ["t0 zero-shot 2"]);
});

Deno.test("planPredictions() passes over a damaged method, which degrades the answer", () => {
  const damaged = model(methods({ "cross-entropy": "invalid", "zero-shot": WHOLE }));
  assert.deepEqual(plan(damaged), ["t0 zero-shot 2 degraded"]);
  const both = model(
    methods({ "cross-entropy": "invalid", "contrastive": "missing", "zero-shot": WHOLE }),
  );
  assert.deepEqual(plan(both), ["t0 zero-shot 3 degraded"]);
});

Deno.test("planPredictions() does not call an answer degraded for a worse method's damage", () => {
  const bundle = model(methods({ "cross-entropy": WHOLE, "zero-shot": "invalid" }));
  assert.deepEqual(plan(bundle), ["t0 cross-entropy 1"]);
});

Deno.test("planPredictions() does not call a method degraded that was asked for by name", () => {
  const bundle = model(methods({ "cross-entropy": "invalid", "zero-shot": WHOLE }));
  assert.deepEqual(plan(bundle, { method: "zero-shot" }), ["t0 zero-shot 2"]);
});

Deno.test("planPredictions() never replaces a method asked for by name", () => {
  for (
    const [fault, why] of [["missing", /is missing/], ["invalid", /failed its check/]] as const
  ) {
    const bundle = model(methods({ "cross-entropy": fault, "zero-shot": WHOLE }));
    for (const taxonomies of [[], ["t0"]]) {
      assert.throws(() => plan(bundle, { method: "cross-entropy", taxonomies }), {
        name: "ClipEError",
        code: "method-unavailable",
        message: why,
      });
    }
  }
});

Deno.test("planPredictions() leaves out, unless asked for, a taxonomy that nothing can answer", () => {
  const bundle = model(methods({ "zero-shot": "invalid" }), methods({ "zero-shot": WHOLE }));
  assert.deepEqual(plan(bundle), ["t1 zero-shot 1"]);
  assert.throws(() => plan(bundle, { taxonomies: ["t0"] }), { code: "method-unavailable" });
});

Deno.test("planPredictions() refuses when nothing can be answered at all", () => {
  const bundle = model(methods({ "zero-shot": "missing" }));
  assert.throws(() => plan(bundle), { code: "method-unavailable" });
});

Deno.test("planPredictions() answers by a method the taxonomies that know it", () => {
  assert.deepEqual(plan(two, { method: "contrastive" }), ["t0 contrastive 2", "t1 contrastive 2"]);
  assert.deepEqual(plan(two, { method: "cross-entropy" }), ["t0 cross-entropy 1"]);
});

Deno.test("planPredictions() names what there is when it is asked for what there is not", () => {
  assert.throws(() => plan(two, { taxonomies: ["t0", "mood"] }), {
    code: "unknown-taxonomy",
    message: /"mood".*t0, t1/,
  });
  assert.throws(() => plan(two, { method: "magic" }), {
    code: "unknown-method",
    message: /"magic".*auto, all, cross-entropy, contrastive, zero-shot/,
  });
  assert.throws(() => plan(two, { taxonomies: ["t1"], method: "cross-entropy" }), {
    code: "unknown-method",
    message: /t1.*auto, all, zero-shot, contrastive/,
  });
});

Deno.test("planPredictions() does not take the names of an object's own parts for names", () => {
  for (const word of ["constructor", "__proto__", "toString", ""]) {
    assert.throws(() => plan(two, { taxonomies: [word] }), { code: "unknown-taxonomy" });
    assert.throws(() => plan(two, { method: word }), { code: "unknown-method" });
  }
});

Deno.test("planPredictions() refuses a top that is no whole number from 1", () => {
  for (const top of [0, -1, 1.5, NaN, Infinity]) {
    assert.throws(() => plan(two, { top }), { code: "invalid-parameter", message: /top/ });
  }
  assert.equal(plan(two, { top: 1 }).length, 2);
});

Deno.test("planPredictions() by all answers each taxonomy by every available method, best first", () => {
  assert.deepEqual(plan(two, { method: "all" }), [
    "t0 cross-entropy 1",
    "t0 contrastive 2",
    "t0 zero-shot 3",
    "t1 zero-shot 1",
    "t1 contrastive 2",
  ]);
  assert.deepEqual(plan(two, { method: "all", taxonomies: ["t1"] }), [
    "t1 zero-shot 1",
    "t1 contrastive 2",
  ]);
});

Deno.test("planPredictions() by all passes over what cannot be used, and says so of what is worse", () => {
  const bundle = model(
    methods({ "cross-entropy": WHOLE, "contrastive": "invalid", "zero-shot": WHOLE }),
    methods({ "contrastive": "missing", "zero-shot": WHOLE }),
    methods({ "zero-shot": "missing" }),
  );
  assert.deepEqual(plan(bundle, { method: "all" }), [
    "t0 cross-entropy 1",
    "t0 zero-shot 3 degraded",
    "t1 zero-shot 2",
  ]);
  assert.throws(() => plan(bundle, { method: "all", taxonomies: ["t2"] }), {
    code: "method-unavailable",
    message: /t2/,
  });
});

Deno.test("planPredictions() by all takes labels of the caller's own, which one method answers", () => {
  const options = { method: "all", labels: ["a", "b"] };
  assert.deepEqual(planPredictions({ ...two, servesLabels: true }, options), []);
  assert.throws(() => planPredictions(two, options), { code: "labels-not-served" });
});
