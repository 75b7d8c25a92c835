/**
 * Nodes of our own, in one line each.
 */

import { create } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from "onnx-buf";

/** A node's attributes; those that the quantiser sets are all integers. */
export type IntegerAttributes = Readonly<Record<string, number | readonly number[]>>;

/**
 * Makes a node without a name.
 *
 * @param operator its name, `com.microsoft.MatMulNBits` with a domain other than ONNX's own
 * @param inputs names of values
 * @param output name of its value, or of each
 * @param attributes its integers, or another node's attributes
 */
export function makeNode(
  operator: string,
  inputs: readonly string[],
  output: string | readonly string[],
  attributes: IntegerAttributes | readonly AttributeProto[] = {},
): NodeProto {
  const dot = operator.lastIndexOf(".");
  return create(NodeProtoSchema, {
    opType: operator.slice(dot + 1),
    ...(dot > 0 && { domain: operator.slice(0, dot) }),
    input: [...inputs],
    output: typeof output === "string" ? [output] : [...output],
    attribute: isProtos(attributes) ? [...attributes] : Object.entries(attributes).map(toProto),
  });
}

function isProtos(
  attributes: IntegerAttributes | readonly AttributeProto[],
): attributes is readonly AttributeProto[] {
  return Array.isArray(attributes);
}

function toProto([name, value]: readonly [string, number | readonly number[]]): AttributeProto {
  return typeof value === "number"
    ? create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) })
    : create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

/** A node's attribute. */
export function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

/** A node's integer attribute, or what it is when it is not given. */
export function integerOf(node: NodeProto, name: string, otherwise: number): number {
  const attribute = attributeOf(node, name);
  return attribute ? Number(attribute.i) : otherwise;
}

/** The same node with other inputs and outputs. */
export function withValues(node: NodeProto, input: string[], output = node.output): NodeProto {
  return Object.assign(create(NodeProtoSchema), node, { input, output });
}
