/**
 * Which nodes can be quantised: those that multiply something with a constant matrix, convolve it with constant filters, or
 * look up rows of a constant table.
 */

import { type NodeProto, TensorProto_DataType as DataType } from "onnx-buf";
import type { Constant, GraphDraft } from "./graph_draft.ts";
import { attributeOf, integerOf } from "./make_node.ts";
import { standardDomain } from "./onnx_model.ts";
import { sizeOf } from "./tensor.ts";

/** `alpha * input * weight + beta * bias`, of a `MatMul` or a `Gemm`. */
export interface Product {
  readonly kind: "product";
  readonly node: NodeProto;
  readonly weight: Constant;
  /** Inputs of the matrix. */
  readonly rows: number;
  /** Outputs of the matrix. */
  readonly columns: number;
  /** Whether the weight is stored `[columns, rows]`. */
  readonly isTransposed: boolean;
  readonly alpha: number;
  readonly beta: number;
  /** Name of the value that is added, if one is. */
  readonly bias: string | undefined;
}

/** A `Conv`. */
export interface Convolution {
  readonly kind: "convolution";
  readonly node: NodeProto;
  readonly weight: Constant;
  /** What is added to each channel, if something is. */
  readonly bias: Constant | undefined;
}

/** A `Gather` of rows. */
export interface Lookup {
  readonly kind: "lookup";
  readonly node: NodeProto;
  readonly weight: Constant;
}

/** A node that can be quantised. */
export type Target = Product | Convolution | Lookup;

/** Why a node that has such an operator cannot be. */
export interface Refusal {
  readonly kind: "refusal";
  readonly weight?: Constant;
  readonly why: string;
}

/**
 * Looks at a node.
 *
 * @returns `undefined` when it has another operator
 */
export function findTarget(node: NodeProto, draft: GraphDraft): Target | Refusal | undefined {
  if (standardDomain(node.domain) !== "") return undefined;
  const find = Object.hasOwn(FINDERS, node.opType) ? FINDERS[node.opType] : undefined;
  if (!find) return undefined;
  const weight = draft.constant(node.input[node.opType === "Gather" ? 0 : 1]);
  if (!weight) return { kind: "refusal", why: "its weights are not constant" };
  const why = unfitness(weight);
  return why === undefined ? find(node, weight, draft) : { kind: "refusal", weight, why };
}

function unfitness({ tensor: { dataType }, shape }: Constant): string | undefined {
  if (dataType !== DataType.FLOAT) return `its weights are ${DataType[dataType]}, not FLOAT`;
  if (sizeOf(shape) === 0) return "its weights are empty";
  return undefined;
}

type Finder = (node: NodeProto, weight: Constant, draft: GraphDraft) => Target | Refusal;

const FINDERS: Readonly<Record<string, Finder>> = {
  MatMul(node, weight) {
    const [rows, columns, ...others] = weight.shape;
    if (columns === undefined || others.length > 0) return notRank(weight, "a matrix");
    const { isTransposed } = weight;
    const product = { kind: "product", alpha: 1, beta: 0, bias: undefined } as const;
    return { ...product, node, weight, rows, columns, isTransposed };
  },
  Gemm(node, weight) {
    const [first, second, ...others] = weight.shape;
    if (second === undefined || others.length > 0) return notRank(weight, "a matrix");
    if (integerOf(node, "transA", 0) !== 0) {
      return { kind: "refusal", weight, why: "it transposes its input" };
    }
    const isTurned = integerOf(node, "transB", 0) !== 0;
    return {
      kind: "product",
      node,
      weight,
      rows: isTurned ? second : first,
      columns: isTurned ? first : second,
      isTransposed: isTurned !== weight.isTransposed,
      alpha: attributeOf(node, "alpha")?.f ?? 1,
      beta: attributeOf(node, "beta")?.f ?? 1,
      bias: node.input[2] || undefined,
    };
  },
  Conv(node, weight, draft) {
    if (weight.shape.length < 3) return notRank(weight, "filters");
    const name = node.input[2] || undefined;
    const bias = name === undefined ? undefined : draft.constant(name);
    if (name !== undefined && bias?.tensor.dataType !== DataType.FLOAT) {
      return { kind: "refusal", weight, why: "its bias is not constant" };
    }
    return { kind: "convolution", node, weight, bias };
  },
  Gather(node, weight) {
    if (weight.shape.length !== 2 || weight.isTransposed) return notRank(weight, "a table");
    if (integerOf(node, "axis", 0) !== 0) {
      return { kind: "refusal", weight, why: "it takes columns, not rows" };
    }
    return { kind: "lookup", node, weight };
  },
};

function notRank(weight: Constant, what: string): Refusal {
  return {
    kind: "refusal",
    weight,
    why: `its weights are of shape [${weight.shape}], not ${what}`,
  };
}
