import {
  type ContrastiveHead,
  contrastiveLogits,
  type CrossEntropyHead,
  crossEntropyLogits,
  type Dense,
  labelLogits,
  projectionLogits,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { WASM } from "../../../trainer/fit/device.ts";
import { visitOutputs } from "../../../trainer/fit/head_outputs.ts";
import { Random } from "../../../trainer/random.ts";

const SIZE = 12;
const random = new Random(4);
const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const layer = (inputs: number, units: number): Dense => ({
  inputs,
  units,
  kernel: numbers(inputs * units),
  bias: numbers(units),
});

/** More than go through at a time. */
const embeddings = numbers(2500 * SIZE);
const options = { embeddings, size: SIZE, device: WASM };
const embeddingOf = (i: number) => embeddings.subarray(i * SIZE, (i + 1) * SIZE);

Deno.test("visitOutputs() gives what the head gives one picture at a time, whatever its width", async () => {
  // Widths that vectors of four do not divide; rows in an order of their own.
  const rows = [...Array(2500).keys()].reverse();
  for (const input of ["raw", "unit"] as const) {
    const head: CrossEntropyHead = {
      kind: "cross-entropy",
      input,
      img_fc1: layer(SIZE, 7),
      preds: layer(7, 5),
      groups: Int32Array.of(0, 1, 1, -1, 0),
    };
    const seen: number[] = [];
    await visitOutputs(head, rows, options, (i, outputs) => {
      seen.push(i);
      assert.equal(outputs.length, 5);
      const expected = crossEntropyLogits(head, embeddingOf(i));
      for (const [k, logit] of labelLogits(head, outputs).entries()) {
        assert.ok(Math.abs(logit - expected[k]) < 1e-4, `picture ${i}: ${logit}, ${expected[k]}`);
      }
    });
    assert.deepEqual(seen, rows);
  }
});

Deno.test("visitOutputs() gives projections, which blend with the embedding as the edge does", async () => {
  const vectors = Float32Array.from({ length: 2 * SIZE }, (_, i) => i % (SIZE + 1) === 0 ? 1 : 0);
  const prompts = { count: 2, size: SIZE, vectors };
  const head: ContrastiveHead = {
    kind: "contrastive",
    input: "unit",
    img_fc1: layer(SIZE, 6),
    img_fc2: layer(6, SIZE),
    blend: 0.3,
  };
  let count = 0;
  await visitOutputs(head, [3, 1, 2], options, (i, projected) => {
    count++;
    const embedding = embeddingOf(i);
    const expected = contrastiveLogits(head, embedding, prompts);
    for (const [k, logit] of projectionLogits(head, projected, embedding, prompts).entries()) {
      assert.ok(Math.abs(logit - expected[k]) < 1e-5, `picture ${i}: ${logit}, ${expected[k]}`);
    }
  });
  assert.equal(count, 3);
});

Deno.test("visitOutputs() ends when it is told to", async () => {
  const head: CrossEntropyHead = {
    kind: "cross-entropy",
    img_fc1: layer(SIZE, 4),
    preds: layer(4, 2),
  };
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(visitOutputs(head, [0], { ...options, signal }, () => {}), /enough/);
});
