/**
 * Element types of a graph's values, as far as they can be known: those that the file says, and those that follow from an
 * operator's inputs. What is not known is left alone by whoever asks.
 */

import { type NodeProto, TensorProto_DataType as DataType, type ValueInfoProto } from "onnx-buf";
import type { GraphDraft } from "./graph_draft.ts";
import { attributeOf, integerOf } from "./make_node.ts";
import { standardDomain } from "./onnx_model.ts";

/** The only type of some operators' outputs. */
const FIXED: Readonly<Record<string, DataType>> = {
  And: DataType.BOOL,
  ArgMax: DataType.INT64,
  ArgMin: DataType.INT64,
  Equal: DataType.BOOL,
  Greater: DataType.BOOL,
  GreaterOrEqual: DataType.BOOL,
  IsInf: DataType.BOOL,
  IsNaN: DataType.BOOL,
  Less: DataType.BOOL,
  LessOrEqual: DataType.BOOL,
  NonZero: DataType.INT64,
  Not: DataType.BOOL,
  Or: DataType.BOOL,
  Shape: DataType.INT64,
  Size: DataType.INT64,
};

/** Operators whose first output is of their first input's type. */
const SAME = new Set(
  ("Abs AveragePool BatchNormalization Ceil Clip Concat ConvTranspose Cos CumSum Dropout Einsum Elu Erf Exp " +
    "Expand Flatten Floor Gather GatherElements GatherND Gelu GlobalAveragePool GlobalMaxPool GroupNormalization " +
    "HardSigmoid HardSwish Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization " +
    "Max MaxPool Mean Min Mish Mod Neg PRelu Pad Pow RMSNormalization Range Reciprocal ReduceL1 ReduceL2 " +
    "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements " +
    "ScatterND Selu Sigmoid Sign Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Sum Tanh Tile Transpose Trilu " +
    "Unsqueeze").split(" "),
);

/** Operators all of whose inputs and outputs are of one type. */
const LIKE_ANY = new Set(["Add", "Conv", "Div", "Gemm", "MatMul", "Mul", "Sub"]);

/** Types of values by name. */
export class ValueTypes {
  readonly #types = new Map<string, number>();

  /** Knows what the file says of its values. */
  constructor({ described, initializers }: GraphDraft) {
    for (const info of described) {
      const type = elementType(info);
      if (type) this.#types.set(info.name, type);
    }
    for (const { name, dataType } of initializers) this.#types.set(name, dataType);
  }

  /** Whether a value is of 32-bit floats, for sure. */
  isFloat(name: string): boolean {
    return this.#types.get(name) === DataType.FLOAT;
  }

  /** Learns from a node what its outputs are; nodes come in running order. */
  learn(node: NodeProto): void {
    if (standardDomain(node.domain) !== "") return;
    const type = this.#typeOf(node);
    if (type === undefined) return;
    // Of several outputs only those of `Split` are all alike.
    const alike = node.opType === "Split" ? node.output : node.output.slice(0, 1);
    for (const name of alike) if (!this.#types.has(name)) this.#types.set(name, type);
  }

  #typeOf(node: NodeProto): number | undefined {
    const { opType, input } = node;
    if (Object.hasOwn(FIXED, opType)) return FIXED[opType];
    if (opType === "Cast") return integerOf(node, "to", 0) || undefined;
    if (opType === "Constant" || opType === "ConstantOfShape") {
      return attributeOf(node, "value")?.t?.dataType ??
        (opType === "ConstantOfShape" ? DataType.FLOAT : undefined);
    }
    if (opType === "Where") return this.#types.get(input[1]) ?? this.#types.get(input[2]);
    if (LIKE_ANY.has(opType)) {
      return input.map((name) => this.#types.get(name)).find((type) => type !== undefined);
    }
    return SAME.has(opType) ? this.#types.get(input[0]) : undefined;
  }
}

function elementType({ type }: ValueInfoProto): number | undefined {
  return type?.value.case === "tensorType" ? type.value.value.elemType : undefined;
}
