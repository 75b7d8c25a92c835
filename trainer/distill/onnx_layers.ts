/**
 * A trained convolutional network, read from ONNX as layers that can be trained on: those that make the map of places, of which
 * its embedding is the mean. Exports compute some small numbers as they run, such as how much to pad a picture of this size:
 * these are asked of ONNX Runtime once.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { wasmBackend } from "@clip-e/edge/encoder";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  TensorShapeProto_DimensionSchema,
} from "onnx-buf";
import { TrainerError } from "../errors.ts";
import { attributeOf, integerOf } from "../quantize/make_node.ts";
import { NO_EXTERNAL_DATA, readModel } from "../quantize/mod.ts";
import { readFloats, shapeOf } from "../quantize/tensor.ts";
import { findMap, setOutput } from "./teacher_map.ts";

/** A convolution: of all channels, or of each by itself. */
export interface OnnxConvolution {
  readonly kind: "convolution";
  readonly name: string;
  readonly input: string;
  /** `[O, C, K, K]`, or `[C, 1, K, K]`. */
  readonly kernel: { readonly shape: readonly number[]; readonly data: Float32Array };
  readonly bias: Float32Array;
  readonly stride: number;
  /** Zeros at the top, the left, the bottom and the right. */
  readonly pads: readonly number[];
}

/** One layer: what it is called is what it makes. */
export type OnnxLayer =
  | OnnxConvolution
  | {
    readonly kind: "pad";
    readonly name: string;
    readonly input: string;
    readonly pads: readonly number[];
  }
  | {
    readonly kind: "clip";
    readonly name: string;
    readonly input: string;
    readonly least: number;
    readonly most: number;
  }
  | { readonly kind: "add"; readonly name: string; readonly inputs: readonly [string, string] };

/** A network. */
export interface OnnxLayers {
  /** In running order. */
  readonly layers: readonly OnnxLayer[];
  /** Name of its input. */
  readonly input: string;
  /** Name of its map, `[B, E, H, W]`. */
  readonly map: string;
}

/**
 * Reads a network.
 *
 * @param bytes of an ONNX model
 * @param size of the pictures that it is to see, in pixels; it may be another than that which it was made for
 * @param name for messages
 * @throws {TrainerError} when its embedding is no mean over places, or it has operators that cannot be trained here
 */
export async function readOnnxLayers(
  bytes: Uint8Array<ArrayBuffer>,
  size: number,
  name: string,
): Promise<OnnxLayers> {
  const model = readModel(bytes, name);
  const { graph } = model;
  const refuse = (why: string) => new TrainerError(`Cannot train ${name} further: ${why}`);
  const map = graph && findMap(graph);
  if (!graph || !map) throw refuse("its embedding is not the mean over places of a picture");
  const [input] = graph.input.filter(({ name }) =>
    graph.initializer.every((constant) => constant.name !== name)
  );
  setSize(graph, input.name, size);
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node])));
  const values = new Values(model, input.name, size, makers);
  const layers = new Map<string, OnnxLayer>();
  /** Reads the layer that makes a value, after those that it needs. */
  async function visit(name: string): Promise<string> {
    if (name === input.name || layers.has(name)) return name;
    const node = makers.get(name);
    if (!node) throw refuse(`nothing makes its value ${name}`);
    if (node.opType === "Identity") return await visit(node.input[0]);
    const sources: string[] = [];
    for (const source of node.opType === "Add" ? node.input : node.input.slice(0, 1)) {
      sources.push(await visit(source));
    }
    layers.set(name, await readLayer(node, sources, values, refuse));
    return name;
  }
  const made = await visit(map);
  return { layers: [...layers.values()], input: input.name, map: made };
}

async function readLayer(
  node: NodeProto,
  sources: readonly string[],
  values: Values,
  refuse: (why: string) => TrainerError,
): Promise<OnnxLayer> {
  const [name] = node.output;
  const [input, other] = sources;
  const numbers = async (index: number, attribute: string, otherwise: number[]) => {
    if (node.input[index]) return await values.numbers(node.input[index]);
    const given = attributeOf(node, attribute);
    if (!given) return otherwise;
    return given.ints.length > 0 ? given.ints.map(Number) : [given.f];
  };
  switch (node.opType) {
    case "Add":
      return { kind: "add", name, inputs: [input, other] };
    case "Relu":
      return { kind: "clip", name, input, least: 0, most: Infinity };
    case "Clip": {
      const [least] = await numbers(1, "min", [-Infinity]);
      const [most] = await numbers(2, "max", [Infinity]);
      return { kind: "clip", name, input, least, most };
    }
    case "Pad": {
      const pads = await numbers(1, "pads", []);
      const [value] = await numbers(2, "value", [0]);
      const [, , top, left, , , bottom, right] = pads;
      const isPlain = pads.length === 8 && [0, 1, 4, 5].every((i) => pads[i] === 0) && value === 0;
      const mode = attributeOf(node, "mode")?.s;
      if (!isPlain || (mode && new TextDecoder().decode(mode) !== "constant")) {
        throw refuse(`its ${name} pads with something other than zeros around pictures`);
      }
      return { kind: "pad", name, input, pads: [top, left, bottom, right] };
    }
    case "Conv": {
      const kernel = await values.tensor(node.input[1]);
      const [units, channels, side, width] = kernel.shape;
      const groups = integerOf(node, "group", 1);
      const [stride, across = stride] = attributeOf(node, "strides")?.ints.map(Number) ?? [1];
      const dilations = attributeOf(node, "dilations")?.ints ?? [];
      const autoPad = attributeOf(node, "auto_pad")?.s;
      const isKnown = side === width && stride === across &&
        dilations.every((step) => step === 1n) &&
        (groups === 1 || (groups === units && channels === 1)) &&
        (!autoPad || new TextDecoder().decode(autoPad) === "NOTSET");
      if (!isKnown) throw refuse(`its ${name} is a convolution of a kind that is not known here`);
      const pads = (attributeOf(node, "pads")?.ints ?? [0n, 0n, 0n, 0n]).map(Number);
      const bias = node.input[2]
        ? (await values.tensor(node.input[2])).data
        : new Float32Array(units);
      return { kind: "convolution", name, input, kernel, bias, stride, pads };
    }
    default:
      throw refuse(
        `it has the operator ${node.opType}, and only Conv, Pad, Clip, Relu and Add are known`,
      );
  }
}

/** Numbers that a graph holds, or computes from nothing but the size of its input. */
class Values {
  readonly #model: ModelProto;
  readonly #input: string;
  readonly #size: number;
  readonly #constants: Map<string, TensorProto>;

  constructor(
    model: ModelProto,
    input: string,
    size: number,
    makers: ReadonlyMap<string, NodeProto>,
  ) {
    this.#model = model;
    this.#input = input;
    this.#size = size;
    this.#constants = new Map(model.graph?.initializer.map((tensor) => [tensor.name, tensor]));
    for (const [name, node] of makers) {
      const tensor = node.opType === "Constant" ? attributeOf(node, "value")?.t : undefined;
      if (tensor) this.#constants.set(name, tensor);
    }
  }

  /** A constant of floats. */
  async tensor(name: string): Promise<{ shape: number[]; data: Float32Array }> {
    const tensor = this.#constants.get(name);
    if (tensor) return { shape: shapeOf(tensor), data: await readFloats(tensor, NO_EXTERNAL_DATA) };
    throw new TrainerError(`Cannot train the network further: its weights ${name} are computed`);
  }

  /** A few numbers of any type, computed if need be. */
  async numbers(name: string): Promise<number[]> {
    const session = await wasmBackend.open(
      toBinary(ModelProtoSchema, setOutput(this.#model, name)),
    );
    try {
      const side = this.#size;
      const data = new Float32Array(3 * side * side);
      const pixels = { type: "float32", data, dims: [1, 3, side, side] } as const;
      const output = await session.run({ [this.#input]: pixels }, name);
      return Array.from(output.data as ArrayLike<number | bigint>, Number);
    } finally {
      await session.close();
    }
  }
}

/** Makes a graph take pictures of another size. */
function setSize(graph: GraphProto, input: string, size: number): void {
  const type = graph.input.find(({ name }) => name === input)?.type?.value;
  if (type?.case !== "tensorType" || !type.value.shape) return;
  type.value.shape.dim = [1, 3, size, size].map((length) =>
    create(TensorShapeProto_DimensionSchema, {
      value: { case: "dimValue", value: BigInt(length) },
    })
  );
  // What was inferred for the other size.
  graph.valueInfo = [];
}
