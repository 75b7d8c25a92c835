/**
 * A product of a random matrix, alone or as the start of a graph, and what to ask of a report and a graph.
 */

import assert from "node:assert/strict";
import { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import type { OnnxModel, QuantizeReport } from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";
import { seededRandom } from "../../random.ts";
import { modelOf, multiply } from "./models.ts";

/** The matrix's inputs and outputs. */
export const SIZE = 40;

const random = seededRandom(31);

/** Three rows. */
export const X = random.floats(3 * SIZE);

/** The matrix. */
export const W = random.floats(SIZE * SIZE);

/** The input of graphs that {@linkcode start} began. */
export const FEEDS = { x: [[3, SIZE], X] } as const;

/** The product. */
export const EXPECTED = multiply(X, W, SIZE, SIZE);

/** A graph that has `x` and `w`, and no node yet. */
export function start(): OnnxGraph {
  const graph = new OnnxGraph("model");
  graph.input("x", ["rows", SIZE]);
  graph.float32("w", [SIZE, SIZE], W);
  return graph;
}

/** `y = x · w`, and nothing else. */
export function product(): OnnxModel {
  const graph = start();
  graph.output(graph.node("MatMul", ["x", "w"], "y"), ["rows", SIZE]);
  return modelOf(graph);
}

/** What became of each node, by name. */
export function outcomes({ nodes }: QuantizeReport): Record<string, string | undefined> {
  return Object.fromEntries(nodes.map(({ name, done, left }) => [name, done ?? left]));
}

/** Checks that every value is made before it is read. */
export function checkOrder({ proto }: OnnxModel, inputs: readonly string[]): void {
  const { node, initializer } = graphOf(proto);
  const made = new Set([...inputs, ...initializer.map(({ name }) => name)]);
  for (const { input, output, name } of node) {
    for (const value of input) assert.ok(value === "" || made.has(value), `${name}: ${value}`);
    for (const value of output) {
      assert.ok(!made.has(value), `${value} is made twice`);
      made.add(value);
    }
  }
}
