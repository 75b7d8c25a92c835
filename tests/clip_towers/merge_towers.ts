/**
 * Both towers in one model, as exports of transformers' `CLIPModel` are: what libraries load that score a picture against
 * texts in one run.
 */

import { clone } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { OnnxGraph } from "../../trainer/encoder/onnx_graph.ts";
import { readModel } from "../../trainer/quantize/mod.ts";

/**
 * Merges two towers: `pixel_values`, `input_ids` and perhaps `attention_mask` to `logits_per_image` `[N, M]`,
 * `logits_per_text` `[M, N]`, and the unit vectors `image_embeds` `[N, P]` and `text_embeds` `[M, P]`.
 *
 * @param vision the image tower, of floats or quantised
 * @param text the text tower
 * @param size P
 * @param logitScale what cosines are multiplied by
 * @throws {TypeError} when the two use different versions of an operator set
 */
export function mergeTowers(
  vision: ModelProto,
  text: ModelProto,
  size: number,
  logitScale: number,
): ModelProto {
  const ending = readModel(similarity(size, logitScale));
  const models = [vision, text, ending];
  const towers = [prefixed(graphOf(vision), "vision/"), prefixed(graphOf(text), "text/")];
  const end = graphOf(ending);
  const parts = [...towers, end];
  return {
    ...vision,
    irVersion: models.map(({ irVersion }) => irVersion).reduce((a, b) => a > b ? a : b),
    opsetImport: mergeOpsets(models),
    graph: {
      ...end,
      name: "clip",
      node: parts.flatMap(({ node }) => node),
      initializer: parts.flatMap(({ initializer }) => initializer),
      input: towers.flatMap(({ input }) => input),
    },
  };
}

/** Both towers' embeddings to unit vectors and logits. */
function similarity(size: number, logitScale: number): Uint8Array<ArrayBuffer> {
  const graph = new OnnxGraph("similarity");
  const normalize = (embeddings: string, output: string, batch: string) => {
    graph.input(embeddings, [batch, size]);
    const norms = graph.node("ReduceL2", [embeddings], `${output}/norms`, { axes: { ints: [-1] } });
    graph.output(graph.node("Div", [embeddings, norms], output), [batch, size]);
    return output;
  };
  const images = normalize("vision/image_embeds", "image_embeds", "vision/batch_size");
  const texts = normalize("text/text_embeds", "text_embeds", "text/batch_size");
  const columns = graph.node("Transpose", [images], "image_columns");
  const cosines = graph.node("MatMul", [texts, columns], "cosines");
  graph.float32("logit_scale", [], [logitScale]);
  const perText = graph.node("Mul", [cosines, "logit_scale"], "logits_per_text");
  const perImage = graph.node("Transpose", [perText], "logits_per_image");
  graph.output(perImage, ["vision/batch_size", "text/batch_size"]);
  graph.output(perText, ["text/batch_size", "vision/batch_size"]);
  return graph.toBytes();
}

/** A graph whose values, nodes and variable lengths have names of their own; its inputs keep theirs. */
function prefixed(graph: GraphProto, prefix: string): GraphProto {
  const inputs = new Set(graph.input.map(({ name }) => name));
  // An optional input that a node leaves out has no name.
  const rename = (name: string) => name === "" || inputs.has(name) ? name : prefix + name;
  return {
    ...graph,
    input: graph.input.map((input) => withLengths(input, prefix)),
    initializer: graph.initializer.map((tensor) => ({ ...tensor, name: rename(tensor.name) })),
    node: graph.node.map((node) => ({
      ...node,
      name: prefix + node.name,
      input: node.input.map(rename),
      output: node.output.map(rename),
    })),
  };
}

/** An input whose variable lengths are not those of the other tower, though both may call them the same. */
function withLengths(input: ValueInfoProto, prefix: string): ValueInfoProto {
  const renamed = clone(ValueInfoProtoSchema, input);
  const tensor = renamed.type?.value;
  const dims = tensor?.case === "tensorType" ? tensor.value.shape?.dim ?? [] : [];
  for (const { value } of dims) if (value.case === "dimParam") value.value = prefix + value.value;
  return renamed;
}

function mergeOpsets(models: readonly ModelProto[]): ModelProto["opsetImport"] {
  const sets = new Map<string, ModelProto["opsetImport"][number]>();
  for (const set of models.flatMap(({ opsetImport }) => opsetImport)) {
    const { version } = sets.get(set.domain) ?? set;
    if (version !== set.version) {
      throw new TypeError(
        `Cannot merge the towers: one uses version ${version} of the operator set ` +
          `"${set.domain}", another ${set.version}`,
      );
    }
    sets.set(set.domain, set);
  }
  return [...sets.values()];
}

function graphOf({ graph }: ModelProto): GraphProto {
  if (graph) return graph;
  throw new TypeError("Cannot merge the towers: one has no graph");
}
