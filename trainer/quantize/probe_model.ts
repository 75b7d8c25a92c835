/**
 * What quantising does to each node alone: a model that computes nodes from floats and once more from quantised weights, and
 * has a switch for each that says which of the two goes on. Any choice of nodes can so be tried in one session.
 */

import { create } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataType as DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { addQuantized } from "./add_quantized.ts";
import { GraphDraft } from "./graph_draft.ts";
import { withValues } from "./make_node.ts";
import { graphOf, nameOf, type OnnxModel } from "./onnx_model.ts";
import type { QuantizeOptions } from "./quantize_model.ts";
import { findTarget } from "./target.ts";
import { WeightCache } from "./weight_cache.ts";

/** See {@linkcode makeProbe}. */
export interface Probe {
  /** The model that it comes from, with one more input. */
  readonly model: OnnxModel;
  /** The input's name: `[N]` floats, 1 for a node that is to be quantised and 0 for one that is not. */
  readonly switches: string;
  /** Of the nodes, in the order of the switches. */
  readonly names: readonly string[];
}

/**
 * Makes a probe.
 *
 * @param model in 32-bit floats; it is not changed
 * @param options how nodes are quantised, in a mode of integers
 * @param names of the nodes that get a switch
 * @throws {TrainerError} when weights are not finite, or the model is damaged
 */
export async function makeProbe(
  model: OnnxModel,
  options: QuantizeOptions,
  names: ReadonlySet<string>,
): Promise<Probe> {
  const switches = "quantized_nodes";
  const draft = new GraphDraft(withInput(model, switches), options.cache ?? new WeightCache());
  const found: string[] = [];
  for (const node of draft.sources) {
    const target = names.has(nameOf(node)) ? findTarget(node, draft) : undefined;
    if (!target || target.kind === "refusal") {
      draft.add(node);
      continue;
    }
    const [output] = node.output;
    const free = (what: string) => draft.freeName(`${output}_${what}`);
    const [float, quantized, error, chosen, part] = [
      "in_floats",
      "quantized",
      "error",
      "is_quantized",
      "part",
    ].map(free);
    draft.add(withValues(node, node.input, [float]));
    const twin = Object.assign(withValues(node, node.input, [quantized]), { name: "" });
    await addQuantized(draft, { ...target, node: twin }, options);
    draft.make("Sub", [quantized, float], error);
    const place = draft.store(
      `place_${found.length}`,
      [],
      () => BigInt64Array.of(BigInt(found.length)),
    );
    draft.make("Gather", [switches, place], chosen, { axis: 0 });
    draft.make("Mul", [error, chosen], part);
    draft.make("Add", [float, part], output);
    found.push(nameOf(node));
  }
  return { model: { proto: draft.finish(), external: model.external }, switches, names: found };
}

/** The model with an input that nothing reads yet. */
function withInput({ proto, external }: OnnxModel, name: string): OnnxModel {
  const graph = graphOf(proto);
  const input = [...graph.input, vector(name)];
  const wider = Object.assign(create(GraphProtoSchema), graph, { input });
  return { proto: Object.assign(create(ModelProtoSchema), proto, { graph: wider }), external };
}

function vector(name: string): ValueInfoProto {
  const dim = [{ value: { case: "dimParam" as const, value: name } }];
  const value = { elemType: DataType.FLOAT, shape: { dim } };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: "tensorType", value } } });
}
