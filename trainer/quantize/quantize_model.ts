/**
 * The walk over a model's graph: each node is rewritten by the mode that was asked for, or goes over as it is, and the report
 * says which and why. It reads and writes no file.
 */

import type { ModelProto, NodeProto } from "onnx-buf";
import { TrainerError } from "../errors.ts";
import { addQuantized } from "./add_quantized.ts";
import { GraphDraft } from "./graph_draft.ts";
import { Halver } from "./fp16.ts";
import { keeper } from "./keeper.ts";
import { graphOf, nameOf, type OnnxModel, whyUnknown } from "./onnx_model.ts";
import type { NodeReport, QuantizeReport } from "./report.ts";
import { findTarget, type Refusal, type Target } from "./target.ts";
import { WeightCache } from "./weight_cache.ts";
import { layOutModel } from "./write_model.ts";

/** What weights become, and how the model computes with them. */
export const QUANTIZE_MODES = ["int8-dynamic", "int8-weights", "nbits8", "nbits4", "fp16"] as const;

/** One of {@linkcode QUANTIZE_MODES}. */
export type QuantizeMode = typeof QUANTIZE_MODES[number];

/** Options of {@linkcode quantizeModel}. */
export interface QuantizeOptions {
  /** What to make of the weights. */
  readonly mode: QuantizeMode;
  /** Names of nodes and weights to leave in 32-bit floats; `*` stands for any characters. */
  readonly keep?: readonly string[];
  /**
   * What convolutions become: `integers` computes with 8-bit ones in the mode `int8-dynamic`, and only stores them in the
   * others; `weights` only stores them in every mode. By default they stay.
   */
  readonly conv?: "integers" | "weights";
  /** Whether tables that rows are looked up in are quantised too, to 8-bit integers. */
  readonly gather?: boolean;
  /** Whether 8-bit weights use seven bits only, for CPUs whose 16-bit sums overflow otherwise. */
  readonly reduceRange?: boolean;
  /**
   * Whether the 8-bit weights of a node share one scale, as plainer quantisers have it: it shows what scales for each output
   * are worth, and has no other use.
   */
  readonly perTensor?: boolean;
  /** Give the same one to each run on the same model: weights are quantised once for all runs. */
  readonly cache?: WeightCache;
  /** Told after each node; waited for. */
  readonly onProgress?: (done: number, total: number) => void | Promise<void>;
}

/** A model and what was done to it. */
export interface QuantizedModel {
  /** It shares what was not changed with the one that it was made of. */
  readonly model: OnnxModel;
  /** What was done, and what was not. */
  readonly report: QuantizeReport;
}

/**
 * Quantises a model.
 *
 * @param model in 32-bit floats; it is not changed
 * @param options what to make of which weights
 * @throws {TrainerError} when the model is quantised already, holds weights that are not finite, or is damaged
 *
 * @example
 * ```ts
 * const model = { proto: readModel(await Deno.readFile("encoder.onnx")), external: NO_EXTERNAL_DATA };
 * const { report } = await quantizeModel(model, { mode: "int8-dynamic", keep: ["*projection*"] });
 * console.log(report.bytes);
 * ```
 */
export async function quantizeModel(
  model: OnnxModel,
  options: QuantizeOptions,
): Promise<QuantizedModel> {
  refuseQuantized(model.proto);
  const draft = new GraphDraft(model, options.cache ?? new WeightCache());
  const keep = keeper(options.keep ?? []);
  const nodes: NodeReport[] = [];
  const others = new Map<string, number>();
  const rewrite = rewriter(draft, options);
  for (const [i, node] of draft.sources.entries()) {
    const report = await rewrite(node, keep.has(namesOf(node, draft)));
    if (report) nodes.push(report);
    else others.set(node.opType, (others.get(node.opType) ?? 0) + 1);
    await options.onProgress?.(i + 1, draft.sources.length);
  }
  const isChanged = nodes.some(({ done }) => done !== undefined);
  const made = isChanged ? { proto: draft.finish(), external: model.external } : model;
  const bytes = { before: wholeBytes(model), after: wholeBytes(made) };
  const report = { nodes, others: Object.fromEntries(others), unused: keep.unused(), bytes };
  return { model: made, report };
}

/** Rewrites a node, or lets it pass; nothing is said of nodes that nobody would expect to be rewritten. */
type NodeRewriter = (node: NodeProto, isKept: boolean) => Promise<NodeReport | undefined>;

function rewriter(draft: GraphDraft, options: QuantizeOptions): NodeRewriter {
  if (options.mode === "fp16") {
    const halver = new Halver(draft);
    return (node, isKept) => halver.add(node, isKept);
  }
  return async (node, isKept) => {
    const target = findTarget(node, draft);
    const why = whyLeft(node, target, isKept, options);
    if (why === undefined && target && target.kind !== "refusal") {
      const done = await addQuantized(draft, target, options);
      return { ...describe(node, target), done };
    }
    draft.add(node);
    return why === undefined ? undefined : { ...describe(node, target), left: why };
  };
}

/** The names that a node can be kept by: its own, and those of its weights. */
function namesOf(node: NodeProto, draft: GraphDraft): string[] {
  const weights = node.input.flatMap((name) => {
    const constant = draft.constant(name);
    return constant ? [name, constant.tensor.name] : [];
  });
  return [nameOf(node), ...weights];
}

function describe(node: NodeProto, target: Target | Refusal | undefined) {
  const weight = target?.weight;
  return {
    name: nameOf(node),
    operator: node.opType,
    ...(weight && { weight: weight.tensor.name, shape: weight.shape }),
  };
}

/** Why a node is left as it is, where that is worth saying. */
function whyLeft(
  node: NodeProto,
  target: Target | Refusal | undefined,
  isKept: boolean,
  { conv, gather = false }: QuantizeOptions,
): string | undefined {
  if (!target) return whyUnknown(node);
  // Shapes are looked up and computed with the same operators as weights.
  if (target.kind === "refusal") return node.opType === "Gather" ? undefined : target.why;
  if (isKept) return "it was to be kept";
  if (target.kind === "convolution" && conv === undefined) return "convolutions were not asked for";
  if (target.kind === "lookup" && !gather) return "tables were not asked for";
  return undefined;
}

function wholeBytes(model: OnnxModel): number {
  return layOutModel(model, { maxBytes: Infinity }).modelBytes;
}

/** Operators of quantised models. */
const QUANTIZED = /[Qq]uantize|Integer$|^QLinear|^Q[A-Z][a-z]|NBits$|Bnb4$|BlockQuantized$/;

function refuseQuantized(model: ModelProto): void {
  const node = graphOf(model).node.find(({ opType }) => QUANTIZED.test(opType));
  if (!node) return;
  throw new TrainerError(
    `Cannot quantise the model: it is quantised already (${nameOf(node)} is a ${node.opType}). ` +
      "Start from its float file",
  );
}
