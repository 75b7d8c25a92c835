/**
 * Raising a model's operator set. Most operators only take more types from one set to the next; those that changed what they
 * read or mean are known here, and a graph that has one is left to a converter.
 */

import type { GraphProto, ModelProto, NodeProto } from "onnx-buf";
import { TrainerError } from "../errors.ts";
import { graphOf, nameOf, opsetOf, standardDomain, subgraphsOf } from "./onnx_model.ts";

/** The oldest set that is read: before it, operators on shapes that differ had to say along which axis. */
const OLDEST = 7;

/** Operators that read or mean something else since a set, up to 11. Source: the change log of ONNX's operators. */
const CHANGED: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [9],
  Clip: [11],
  Dropout: [10],
  Pad: [11],
  Resize: [11],
  Scan: [9],
  Scatter: [11],
  Slice: [10],
  TopK: [10],
  Upsample: [9, 10],
};

/**
 * Checks that a model means the same in a newer operator set.
 *
 * @param model that uses ONNX's own operators
 * @param version the set, up to 11
 * @throws {TrainerError} when it may not, or its set is too old to be sure
 */
export function raiseOpset(model: ModelProto, version: number): void {
  const from = opsetOf(model) ?? version;
  if (from >= version) return;
  const advice = `convert it to operator set ${version} or newer first`;
  if (from < OLDEST) {
    throw new TrainerError(`Cannot quantise a model of operator set ${from}: ${advice}`);
  }
  const isChanged = ({ opType, domain }: NodeProto) =>
    standardDomain(domain) === "" && Object.hasOwn(CHANGED, opType) &&
    CHANGED[opType].some((since) => from < since && since <= version);
  const changed = nodesOf(graphOf(model)).find(isChanged);
  if (changed) {
    throw new TrainerError(
      `Cannot raise the model from operator set ${from} to ${version}: ${
        nameOf(changed)
      } is a ${changed.opType}, ` +
        `which changed in between; ${advice}`,
    );
  }
}

/** A graph's nodes, and those of the graphs that they hold. */
function nodesOf({ node }: GraphProto): NodeProto[] {
  return node.flatMap((one) => [one, ...subgraphsOf(one).flatMap(nodesOf)]);
}
