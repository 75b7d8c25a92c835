import assert from "node:assert/strict";
import { type Candidate, chooseMethods } from "../../../trainer/evaluation/choose_methods.ts";

function candidate(row: string, validationAccuracy?: number): Candidate {
  const method = row.startsWith("zero-shot")
    ? "zero-shot"
    : row.startsWith("cross-entropy")
    ? "cross-entropy"
    : "contrastive";
  return {
    row,
    method,
    isVariant: row !== method,
    ...(validationAccuracy !== undefined && { validationAccuracy }),
  };
}

function order(accuracies: Readonly<Record<string, number | undefined>>): string[] {
  const all = Object.entries(accuracies).map(([row, accuracy]) => candidate(row, accuracy));
  return chooseMethods(all).map(({ row }) => row);
}

Deno.test("chooseMethods() puts the highest validation accuracy first", () => {
  const accuracies = { "zero-shot": 0.7, "cross-entropy": 0.6, "contrastive": 0.65 };
  assert.deepEqual(order(accuracies), ["zero-shot", "contrastive", "cross-entropy"]);
});

Deno.test("chooseMethods() puts the simpler of equals first", () => {
  const accuracies = { "contrastive": 0.6, "cross-entropy": 0.6, "zero-shot": 0.6 };
  assert.deepEqual(order(accuracies), ["zero-shot", "cross-entropy", "contrastive"]);
});

Deno.test("chooseMethods() takes a variant for its plain form only where it is strictly better", () => {
  const better = { "cross-entropy": 0.6, "cross-entropy, unit input": 0.601, "zero-shot": 0.5 };
  assert.deepEqual(order(better), ["cross-entropy, unit input", "zero-shot"]);
  const equal = { "cross-entropy, unit input": 0.6, "cross-entropy": 0.6, "zero-shot": 0.5 };
  assert.deepEqual(order(equal), ["cross-entropy", "zero-shot"]);
  const worse = { "cross-entropy, unit input": 0.59, "cross-entropy": 0.6 };
  assert.deepEqual(order(worse), ["cross-entropy"]);
});

Deno.test("chooseMethods() takes the best of several variants", () => {
  const accuracies = {
    "contrastive": 0.6,
    "contrastive, unit input": 0.61,
    "contrastive, blend": 0.64,
    "cross-entropy": 0.62,
  };
  assert.deepEqual(order(accuracies), ["contrastive, blend", "cross-entropy"]);
});

Deno.test("chooseMethods() does not count the noise of arithmetic as better", () => {
  const accuracies = { "zero-shot": 0.3, "contrastive": 0.1 + 0.2 };
  assert.ok(accuracies.contrastive > accuracies["zero-shot"]);
  assert.deepEqual(order(accuracies), ["zero-shot", "contrastive"]);
});

Deno.test("chooseMethods() puts what was not measured last, whatever it is", () => {
  const accuracies = { "zero-shot": undefined, "cross-entropy": 0, "contrastive": undefined };
  assert.deepEqual(order(accuracies), ["cross-entropy", "zero-shot", "contrastive"]);
  assert.deepEqual(order({ "cross-entropy, unit input": 0, "cross-entropy": undefined }), [
    "cross-entropy, unit input",
  ]);
});

Deno.test("chooseMethods() gives candidates back as they came, with all that they carry", () => {
  const own = { ...candidate("zero-shot", 0.5), temperature: 0.01 };
  const [chosen] = chooseMethods([own]);
  assert.equal(chosen, own);
  assert.deepEqual(chooseMethods([]), []);
});
