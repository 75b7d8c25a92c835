/**
 * Where a teacher's embedding is the mean over places of a picture, as that of convolutional networks is, what it makes of each
 * place is worth more to a student than the mean alone: it tells what is where. This finds and opens that map.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { pickOutput } from "@clip-e/edge/encoder";
import { readModel } from "../quantize/mod.ts";
import { regionWeights } from "./regions.ts";

/** Operators that give the same numbers another shape. */
const SAME_NUMBERS: ReadonlySet<string> = new Set(["Flatten", "Identity", "Reshape", "Squeeze"]);

/** A teacher that gives a map in place of its mean. */
export interface TeacherMap {
  /** ONNX. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The map, `[1, D, H, W]`. */
  readonly output: string;
}

/**
 * Finds the map whose mean the embedding is.
 *
 * @param bytes of the teacher
 * @returns nothing where the embedding is made in another way
 */
export function openTeacherMap(bytes: Uint8Array<ArrayBuffer>): TeacherMap | undefined {
  const model = readModel(bytes, "the teacher");
  const output = model.graph && findMap(model.graph);
  if (!output) return undefined;
  return { bytes: toBinary(ModelProtoSchema, setOutput(model, output)), output };
}

/**
 * Finds the name of the map whose mean the embedding is.
 *
 * @param graph of a network
 * @returns nothing where the embedding is made in another way
 */
export function findMap(graph: GraphProto): string | undefined {
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node])));
  let node = makers.get(pickOutput(graph.output.map(({ name }) => name)));
  while (node && SAME_NUMBERS.has(node.opType)) node = makers.get(node.input[0]);
  return node && isMeanOverPlaces(node, graph) ? node.input[0] : undefined;
}

/**
 * The same model with another output.
 *
 * @param model left as it is
 * @param name of a value that its graph makes
 */
export function setOutput(model: ModelProto, name: string): ModelProto {
  // Of which type it is, runtimes know better than we do.
  const output = [create(ValueInfoProtoSchema, { name })];
  const graph = Object.assign(create(GraphProtoSchema), model.graph, { output });
  return Object.assign(create(ModelProtoSchema), model, { graph });
}

function isMeanOverPlaces(node: NodeProto, graph: GraphProto): boolean {
  if (node.opType === "GlobalAveragePool") return true;
  if (node.opType !== "ReduceMean") return false;
  const attribute = node.attribute.find(({ name }) => name === "axes");
  const constant = graph.initializer.find(({ name }) => name === node.input[1]);
  const axes = attribute?.ints ??
    [...new BigInt64Array((constant?.rawData ?? new Uint8Array()).slice().buffer)];
  return axes.length === 2 &&
    [[2n, -2n], [3n, -1n]].every((same) => same.some((axis) => axes.includes(axis)));
}

/**
 * Means over regions of a map.
 *
 * @param map `[D, H, W]`
 * @param height H
 * @param width W
 * @param side regions in a row, and rows of them
 * @returns `[side², D]`; their mean is that of the map
 */
export function meanOfRegions(
  map: Float32Array,
  height: number,
  width: number,
  side: number,
): Float32Array {
  const weights = regionWeights(height, width, side);
  const places = height * width;
  const regions = side * side;
  const dimensions = map.length / places;
  const means = new Float32Array(regions * dimensions);
  for (let d = 0; d < dimensions; d++) {
    for (let r = 0; r < regions; r++) {
      let sum = 0;
      for (let p = 0; p < places; p++) sum += weights[p * regions + r] * map[d * places + p];
      means[r * dimensions + d] = sum;
    }
  }
  return means;
}
