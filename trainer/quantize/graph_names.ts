/**
 * Which names a graph has, and who reads them: also in the graphs that nodes hold, which see the values of the one around
 * them.
 */

import type { GraphProto, NodeProto } from "onnx-buf";
import { nameOf, subgraphsOf } from "./onnx_model.ts";

/** Every name in a graph and in those that it holds. */
export function namesIn(graph: GraphProto): Set<string> {
  const names = new Set<string>();
  const visit = ({ node, initializer, sparseInitializer, input, output }: GraphProto): void => {
    for (const { name } of [...initializer, ...input, ...output]) names.add(name);
    for (const { values } of sparseInitializer) if (values) names.add(values.name);
    for (const one of node) {
      for (const name of [...one.input, ...one.output, nameOf(one)]) names.add(name);
      subgraphsOf(one).forEach(visit);
    }
  };
  visit(graph);
  return names;
}

/** The values that a node reads, and those that the graphs that it holds may read of the one around them. */
export function valuesReadBy(node: NodeProto): string[] {
  const inner = subgraphsOf(node).flatMap((graph) => [
    ...graph.node.flatMap(valuesReadBy),
    ...graph.output.map(({ name }) => name),
  ]);
  return [...node.input, ...inner];
}

/** The values that nodes read, or the caller. */
export function readsOf(nodes: readonly NodeProto[], { output }: GraphProto): Set<string> {
  return new Set([...nodes.flatMap(valuesReadBy), ...output.map(({ name }) => name)]);
}

/** The nodes without the transpositions and second names of weights that nothing reads any more. */
export function withoutUnread(nodes: readonly NodeProto[], { output }: GraphProto): NodeProto[] {
  const read = new Set(output.map(({ name }) => name));
  const kept = nodes.toReversed().filter((node) => {
    const isLink = node.opType === "Identity" || node.opType === "Transpose";
    if (isLink && !node.output.some((name) => read.has(name))) return false;
    for (const name of valuesReadBy(node)) read.add(name);
    return true;
  });
  return kept.reverse();
}
