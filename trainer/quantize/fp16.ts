/**
 * Half-precision floats where they are harmless: products, convolutions and what moves their results about. Inputs and
 * outputs of the model stay 32-bit floats. So does everything that sums up or squares many numbers, LayerNorm and softmax
 * above all: GPUs may do that in the precision of the input, and the square of an activation of 256, which vision
 * transformers have, is beyond what a half can hold. A sum of two branches is made in halves only where both are, so that the
 * residual stream of a transformer, where those activations are, stays in 32 bits as well.
 */

import { type NodeProto, TensorProto_DataType as DataType } from "onnx-buf";
import type { Constant, GraphDraft } from "./graph_draft.ts";
import { valuesReadBy } from "./graph_names.ts";
import { withValues } from "./make_node.ts";
import { nameOf, whyUnknown } from "./onnx_model.ts";
import type { NodeReport } from "./report.ts";
import { readFiniteFloats, readFloats } from "./tensor.ts";
import { ValueTypes } from "./value_types.ts";

/** Operators that are worth a cast of their inputs. */
const LEADING = new Set(["MatMul", "Gemm", "Conv", "ConvTranspose"]);

/**
 * Operators that can be made in halves, and which of their inputs are then halves: all, or those at some positions, the
 * others being indices and shapes. Those that do not lead follow: they are made in halves where all that they read is.
 */
const HALVED: Readonly<Record<string, readonly number[] | "all">> = {
  Abs: "all",
  Add: "all",
  BatchNormalization: "all",
  Clip: "all",
  Concat: "all",
  Conv: "all",
  ConvTranspose: "all",
  Div: "all",
  Erf: "all",
  Expand: [0],
  Flatten: "all",
  Gather: [0],
  Gelu: "all",
  Gemm: "all",
  HardSigmoid: "all",
  HardSwish: "all",
  Identity: "all",
  LeakyRelu: "all",
  MatMul: "all",
  Max: "all",
  MaxPool: "all",
  Min: "all",
  Mul: "all",
  Neg: "all",
  PRelu: "all",
  Pad: [0, 2],
  Relu: "all",
  Reshape: [0],
  Sigmoid: "all",
  Slice: [0],
  Split: [0],
  Squeeze: [0],
  Sub: "all",
  Tanh: "all",
  Tile: [0],
  Transpose: "all",
  Unsqueeze: [0],
  Where: [1, 2],
};

/** Operators with several outputs that can be made in halves; of `MaxPool`, the second counts. */
const SEVERAL_OUTPUTS = new Set(["MaxPool", "Split"]);

/** The least that rounds to infinity in 16 bits. */
const BEYOND_HALF = 65520;

/** Which inputs of a node become halves, or why it stays as it is, where that is worth saying. */
type Plan = { readonly halves: readonly number[] } | { readonly left?: string };

/** An initializer as halves. */
interface HalvedConstant {
  readonly shape: readonly number[];
  readonly values: Float16Array<ArrayBuffer>;
}

/** Makes a model's nodes ones of halves, in running order. */
export class Halver {
  readonly #draft: GraphDraft;
  readonly #types: ValueTypes;
  /** Names of values as halves, by their names as floats. */
  readonly #halves = new Map<string, string>();
  /** Initializers that were read as halves. */
  readonly #ready = new Map<string, HalvedConstant>();
  /** Values that exist as halves only. */
  readonly #unmade = new Set<string>();

  /** Knows no values yet but the model's inputs and initializers. */
  constructor(draft: GraphDraft) {
    this.#draft = draft;
    this.#types = new ValueTypes(draft);
  }

  /**
   * Adds a node, in halves or as it is.
   *
   * @param isKept whether it is to stay as it is
   * @returns what became of it, where that is worth saying
   * @throws {TrainerError} when its weights are not finite, or the file is damaged
   */
  async add(node: NodeProto, isKept: boolean): Promise<NodeReport | undefined> {
    const plan = await this.#plan(node, isKept);
    this.#types.learn(node);
    if ("halves" in plan) this.#addHalved(node, plan.halves);
    else this.#addAsIs(node);
    for (const name of node.output) if (this.#draft.isOutput(name)) this.#makeFloat(name);
    const weight = this.#weightOf(node);
    const report = { name: nameOf(node), operator: node.opType, ...weight };
    const isWorthSaying = LEADING.has(node.opType) || (weight?.shape.length ?? 0) > 1;
    if ("halves" in plan) return isWorthSaying ? { ...report, done: "fp16" } : undefined;
    return plan.left === undefined ? undefined : { ...report, left: plan.left };
  }

  /** The first initializer that a node reads, but for single numbers. */
  #weightOf({ input }: NodeProto) {
    const constant = input.map((name) => this.#constant(name)).find((found) => found?.shape.length);
    return constant && { weight: constant.tensor.name, shape: constant.shape };
  }

  async #plan(node: NodeProto, isKept: boolean): Promise<Plan> {
    const left = whyUnknown(node);
    if (left !== undefined) return { left };
    const { opType, input, output } = node;
    const positions = Object.hasOwn(HALVED, opType) ? HALVED[opType] : undefined;
    if (!positions || output.length > 1 && !SEVERAL_OUTPUTS.has(opType)) return {};
    const halves = positions === "all" ? [...input.keys()] : positions;
    const names = halves.map((position) => input[position] ?? "").filter((name) => name !== "");
    if (!names.some((name) => this.#types.isFloat(name))) return {};
    const constants = names.filter((name) => this.#constant(name));
    if (isKept) return { left: "it was to be kept" };
    const varying = names.filter((name) => !constants.includes(name));
    const isLeading = LEADING.has(opType);
    if (!isLeading && !varying.every((name) => this.#halves.has(name))) return {};
    for (const name of constants) {
      if (await this.#readHalves(name, isLeading)) continue;
      return { left: `"${name}" holds numbers that 16 bits cannot` };
    }
    return { halves };
  }

  #addHalved(node: NodeProto, positions: readonly number[]): void {
    const input = node.input.map((name, position) =>
      name !== "" && positions.includes(position) ? this.#makeHalf(name) : this.#makeFloat(name)
    );
    const output = node.output.map((name, position) => {
      if (name === "" || position > 0 && node.opType === "MaxPool") return name;
      const half = this.#draft.freeName(`${name}_fp16`);
      this.#halves.set(name, half);
      this.#unmade.add(name);
      return half;
    });
    this.#draft.add(withValues(node, input, output));
  }

  #addAsIs(node: NodeProto): void {
    for (const name of valuesReadBy(node)) this.#makeFloat(name);
    this.#draft.add(node);
  }

  /** The value as halves. */
  #makeHalf(name: string): string {
    const made = this.#halves.get(name);
    if (made !== undefined) return made;
    const constant = this.#ready.get(name);
    const half = constant
      ? this.#draft.store(`${name}_fp16`, constant.shape, () => constant.values)
      : this.#draft.freeName(`${name}_fp16`);
    if (!constant) this.#draft.make("Cast", [name], half, { to: DataType.FLOAT16 });
    this.#halves.set(name, half);
    return half;
  }

  /** The value as floats, under its own name. */
  #makeFloat(name: string): string {
    const half = this.#halves.get(name);
    if (half !== undefined && this.#unmade.delete(name)) {
      this.#draft.make("Cast", [half], name, { to: DataType.FLOAT });
    }
    return name;
  }

  /** An initializer, by its own name. */
  #constant(name: string): Constant | undefined {
    const constant = this.#draft.constant(name);
    return constant?.tensor.name === name ? constant : undefined;
  }

  /**
   * Reads an initializer as halves, to be stored when it is asked for.
   *
   * @param isWeight whether its numbers must be finite
   * @returns whether halves can hold it
   */
  async #readHalves(name: string, isWeight: boolean): Promise<boolean> {
    const { tensor, shape } = this.#constant(name) ?? {};
    if (this.#ready.has(name) || !tensor || !shape) return this.#ready.has(name);
    const { values } = await this.#draft.cache.get(`${name}_fp16`, async () => {
      const read = isWeight ? readFiniteFloats : readFloats;
      const floats = await read(tensor, this.#draft.external);
      const fits = floats.every((value) => Math.abs(value) < BEYOND_HALF);
      return { values: fits ? new Float16Array(floats) : undefined };
    });
    if (values) this.#ready.set(name, { shape, values });
    return values !== undefined;
  }
}
