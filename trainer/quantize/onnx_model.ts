/**
 * What the quantiser works on: an ONNX model's messages, and a way to the weights that lie in files of their own. It opens no
 * file, so that a model may come from anywhere.
 */

import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type OperatorSetIdProto,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
} from "onnx-buf";
import { TrainerError } from "../errors.ts";

/** Weights that lie beside a model's file, in files that it names. */
export interface ExternalReader {
  /**
   * Reads a part of such a file.
   *
   * @param location the file's path from the model's folder, as the model has it
   * @param offset where the part starts, in bytes
   * @param length of the part, in bytes
   * @throws {TrainerError} when there is no such file or part
   */
  read(location: string, offset: number, length: number): Promise<Uint8Array>;
}

/** A model. */
export interface OnnxModel {
  /** Its messages; initializers are views of the file that they were read from. */
  readonly proto: ModelProto;
  /** Reads the weights that lie elsewhere. */
  readonly external: ExternalReader;
}

/** Of a model that comes alone. */
export const NO_EXTERNAL_DATA: ExternalReader = {
  read: (location) =>
    Promise.reject(
      new TrainerError(`Cannot read the weights: they lie in ${location}, which was not given`),
    ),
};

/**
 * The model's graph.
 *
 * @throws {TrainerError} when it has none
 */
export function graphOf({ graph }: ModelProto): GraphProto {
  if (graph && graph.node.length > 0 && graph.output.length > 0) return graph;
  throw new TrainerError("Cannot read the model: it holds no graph. Is it an ONNX file, whole?");
}

/**
 * Checks that nothing of a model is missing, as where a file was cut off.
 *
 * @throws {TrainerError} when it says no operator set, has no graph, or reads a value that nothing makes; or when a node
 * holds weights that lie in another file
 */
export function checkWhole(model: ModelProto): void {
  const graph = graphOf(model);
  if (model.opsetImport.length === 0) {
    throw new TrainerError(
      "Cannot read the model: it does not say its operator set. Is the file whole?",
    );
  }
  const values = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  for (const { values: sparse } of graph.sparseInitializer) if (sparse) values.add(sparse.name);
  for (const node of graph.node) {
    const missing = node.input.find((name) => name !== "" && !values.has(name));
    if (missing !== undefined) throw broken(missing, nameOf(node));
    if (tensorsIn(node).some(isExternal)) {
      throw new TrainerError(
        `Cannot read the model: ${
          nameOf(node)
        } holds weights that lie in another file, and only those of the graph may`,
      );
    }
    for (const name of node.output) values.add(name);
  }
  const missing = graph.output.find(({ name }) => !values.has(name));
  if (missing) throw broken(missing.name, "the caller");
}

function broken(value: string, reader: string): TrainerError {
  return new TrainerError(
    `Cannot read the model: nothing makes "${value}", which ${reader} reads. The file is damaged: export it again`,
  );
}

/** Whether a tensor's numbers lie in another file. */
export function isExternal({ dataLocation }: TensorProto): boolean {
  return dataLocation === DataLocation.EXTERNAL;
}

/** The graphs that a node holds: an `If`'s branches, a `Loop`'s body. */
export function subgraphsOf({ attribute }: NodeProto): GraphProto[] {
  return attribute.flatMap(({ g, graphs }) => g ? [g, ...graphs] : graphs);
}

/**
 * Why the quantiser cannot say what a node does.
 *
 * @returns `undefined` for ONNX's own operators
 */
export function whyUnknown(node: NodeProto): string | undefined {
  if (subgraphsOf(node).length > 0) return "it holds graphs of its own, which are left as they are";
  if (standardDomain(node.domain) === "") return undefined;
  return `its operator, of ${node.domain}, is not known`;
}

/** The tensors that a node holds, in its graphs too. */
function tensorsIn(node: NodeProto): TensorProto[] {
  return [
    ...node.attribute.flatMap(({ t, tensors }) => t ? [t, ...tensors] : tensors),
    ...subgraphsOf(node).flatMap(({ node, initializer }) => [
      ...initializer,
      ...node.flatMap(tensorsIn),
    ]),
  ];
}

/** What to call a node: exports may leave its name out, but never its outputs'. */
export function nameOf({ name, output, opType }: NodeProto): string {
  return name || output.find((value) => value !== "") || opType;
}

/**
 * The version of the operator set that a model uses.
 *
 * @param domain `""` is ONNX's own, which may also be written `ai.onnx`
 * @returns `undefined` where it uses none of that domain
 */
export function opsetOf({ opsetImport }: ModelProto, domain = ""): number | undefined {
  const isAsked = (set: OperatorSetIdProto) => standardDomain(set.domain) === domain;
  const version = opsetImport.find(isAsked)?.version;
  return version === undefined ? undefined : Number(version);
}

/** A domain's name, with ONNX's own as `""`. */
export function standardDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}
