/**
 * What a model computes with, read from its bytes without a parser of ONNX: a walk through its protobuf messages that
 * touches the graph's nodes and passes over the weights.
 *
 * Field numbers are those of onnx.proto: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */

/** A message on the way to a node. */
type Message = "model" | "function" | "graph" | "node" | "attribute";

/** The messages inside each that are looked into, by field number. */
const INSIDE: Readonly<Record<Message, Readonly<Record<number, Message>>>> = {
  model: { 7: "graph", 25: "function" },
  function: { 7: "node" },
  graph: { 1: "node" },
  node: { 5: "attribute" },
  // The bodies of loops and branches.
  attribute: { 6: "graph", 11: "graph" },
};

/** NodeProto's `op_type`. */
const OPERATOR = 4;

/** Protobuf's wire types. */
const VARINT = 0, FIXED_64 = 1, BYTES = 2, FIXED_32 = 5;

/**
 * Lists the operators of a model.
 *
 * @param model ONNX bytes
 * @throws {RangeError} when the bytes are no ONNX model
 */
export function listOperators(model: Uint8Array): ReadonlySet<string> {
  const operators = new Set<string>();
  const text = new TextDecoder();
  let at = 0;

  function readVarint(): number {
    let value = 0;
    for (let scale = 1; at < model.length; scale *= 128) {
      const byte = model[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw broken();
  }

  function walk(message: Message, end: number): void {
    while (at < end) {
      const tag = readVarint();
      const field = Math.floor(tag / 8);
      const type = tag % 8;
      if (type === VARINT) readVarint();
      else if (type === FIXED_64) at += 8;
      else if (type === FIXED_32) at += 4;
      else if (type === BYTES) {
        const length = readVarint();
        const next = at + length;
        if (next > end) throw broken();
        const inside = INSIDE[message][field];
        if (inside) walk(inside, next);
        else if (message === "node" && field === OPERATOR) {
          operators.add(text.decode(model.subarray(at, next)));
        }
        at = next;
      } else throw broken();
    }
  }

  walk("model", model.length);
  return operators;
}

function broken(): RangeError {
  return new RangeError("The bytes are no ONNX model: they end or go on where they should not");
}
