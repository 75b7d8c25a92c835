/**
 * A graph while it is rewritten: which values are constant, names that are free, and what was added. It changes nothing of
 * the model that it comes from, so that one model can be quantised in several ways.
 */

import { create } from "@bufbuild/protobuf";
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
} from "onnx-buf";
import { namesIn, readsOf, withoutUnread } from "./graph_names.ts";
import { attributeOf, makeNode } from "./make_node.ts";
import {
  type ExternalReader,
  graphOf,
  type OnnxModel,
  opsetOf,
  standardDomain,
} from "./onnx_model.ts";
import { raiseOpset } from "./opset.ts";
import { makeTensor, shapeOf, type TensorValues } from "./tensor.ts";
import type { WeightCache } from "./weight_cache.ts";

/** A value that no run of the model changes. */
export interface Constant {
  /** The initializer that it is made of. */
  readonly tensor: TensorProto;
  /** Its shape as the graph reads it. */
  readonly shape: readonly number[];
  /** Whether the graph reads the initializer, a matrix, with its axes changed. */
  readonly isTransposed: boolean;
}

/** The first IR version in which initializers need not be inputs too, and those that are may be given by the caller. */
const IR_WITH_FREE_INITIALIZERS = 4n;

/** A graph in the making, of the parts of another. */
export class GraphDraft {
  /** The original's nodes, but for those that only hold a tensor: these are initializers here. */
  readonly sources: readonly NodeProto[];
  /** Reads weights that lie elsewhere. */
  readonly external: ExternalReader;
  /** Quantised weights of earlier drafts of the same model. */
  readonly cache: WeightCache;
  readonly #proto: ModelProto;
  readonly #graph: GraphProto;
  readonly #inputs: ValueInfoProto[];
  readonly #initializers: TensorProto[];
  readonly #added: TensorProto[] = [];
  readonly #nodes: NodeProto[] = [];
  readonly #own: NodeProto[] = [];
  readonly #constants = new Map<string, Constant>();
  readonly #names: Set<string>;
  readonly #made = new Map<string, string>();
  readonly #opsets = new Map<string, number>();

  /** Starts with nothing of a model's nodes and all of its initializers. */
  constructor({ proto, external }: OnnxModel, cache: WeightCache) {
    this.#proto = proto;
    this.#graph = graphOf(proto);
    this.external = external;
    this.cache = cache;
    this.sources = this.#graph.node.filter((node) => heldTensor(node) === undefined);
    this.#initializers = [
      ...this.#graph.initializer,
      ...this.#graph.node.flatMap((node) => heldTensor(node) ?? []),
    ];
    const stored = new Set(this.#initializers.map(({ name }) => name));
    const isFree = proto.irVersion >= IR_WITH_FREE_INITIALIZERS;
    this.#inputs = this.#graph.input.filter(({ name }) => isFree || !stored.has(name));
    const given = new Set(this.#inputs.map(({ name }) => name));
    for (const tensor of this.#initializers) {
      if (given.has(tensor.name)) continue;
      const shape = shapeOf(tensor);
      this.#constants.set(tensor.name, { tensor, shape, isTransposed: false });
    }
    for (const node of this.sources) this.#follow(node);
    this.#names = namesIn(this.#graph);
  }

  /** What the file says of its values. */
  get described(): readonly ValueInfoProto[] {
    return [...this.#graph.valueInfo, ...this.#inputs, ...this.#graph.output];
  }

  /** What the original's nodes may read beside each other's values and inputs. */
  get initializers(): readonly TensorProto[] {
    return this.#initializers;
  }

  /** Whether a value is an output of the model. */
  isOutput(name: string): boolean {
    return this.#graph.output.some((output) => output.name === name);
  }

  /** Version of ONNX's own operator set. */
  get opset(): number {
    return opsetOf(this.#proto) ?? 1;
  }

  /** The value of that name, when it is constant. */
  constant(name: string): Constant | undefined {
    return this.#constants.get(name);
  }

  /** Adds a node of the original, maybe with other inputs and outputs; the inputs must exist. */
  add(node: NodeProto): void {
    this.#nodes.push(node);
  }

  /** Adds a node of our own; see {@linkcode makeNode}. */
  make(...parts: Parameters<typeof makeNode>): void {
    const node = makeNode(...parts);
    this.#own.push(node);
    this.#nodes.push(node);
  }

  /**
   * Adds an initializer, once: asked for again under the same name it is the same.
   *
   * @param name which describes all that the values depend on
   * @returns its name, another where that one is taken in the original
   */
  store(name: string, shape: readonly number[], values: () => TensorValues): string {
    return this.once(name, (free) => {
      this.#added.push(makeTensor(free, shape, values()));
    });
  }

  /**
   * Makes a value once.
   *
   * @param name which describes what it is
   * @param make makes it under the name that it is given
   * @returns that name
   */
  once(name: string, make: (free: string) => void): string {
    const made = this.#made.get(name);
    if (made !== undefined) return made;
    const free = this.freeName(name);
    this.#made.set(name, free);
    make(free);
    return free;
  }

  /** A name that nothing has, like the one that is given. */
  freeName(name: string): string {
    let free = name;
    for (let i = 2; this.#names.has(free); i++) free = `${name}_${i}`;
    this.#names.add(free);
    return free;
  }

  /**
   * Says that a node needs an operator set.
   *
   * @throws {TrainerError} when the graph cannot be raised to it
   */
  needOpset(version: number, domain = ""): void {
    const needed = Math.max(version, this.#opsets.get(domain) ?? 0);
    if (domain === "") raiseOpset(this.#proto, needed);
    this.#opsets.set(domain, needed);
  }

  /** The model as rewritten, without initializers that only nodes that are gone have read. */
  finish(): ModelProto {
    this.#nameNodes();
    const before = readsOf(this.#graph.node, this.#graph);
    const nodes = withoutUnread(this.#nodes, this.#graph);
    const after = readsOf(nodes, this.#graph);
    const isLeft = ({ name }: { name: string }) => after.has(name) || !before.has(name);
    const initializer = [...this.#initializers.filter(isLeft), ...this.#added];
    const made = new Set([
      ...initializer.map(({ name }) => name),
      ...nodes.flatMap((n) => n.output),
    ]);
    const graph = Object.assign(create(GraphProtoSchema), this.#graph, {
      node: nodes,
      initializer,
      input: this.#inputs,
      valueInfo: this.#graph.valueInfo.filter(({ name }) => made.has(name)),
    });
    const { irVersion } = this.#proto;
    return Object.assign(create(ModelProtoSchema), this.#proto, {
      graph,
      irVersion: irVersion < IR_WITH_FREE_INITIALIZERS ? IR_WITH_FREE_INITIALIZERS : irVersion,
      opsetImport: this.#importOpsets(),
    });
  }

  /** Names the nodes of our own after their outputs, but where a node of the original has that name. */
  #nameNodes(): void {
    const taken = new Set(this.#nodes.map(({ name }) => name));
    for (const node of this.#own) {
      const [name] = node.output;
      node.name = taken.has(name) ? this.freeName(`${name}_${node.opType}`) : name;
    }
  }

  #importOpsets() {
    const old = this.#proto.opsetImport.map((set) => {
      const needed = BigInt(this.#opsets.get(standardDomain(set.domain)) ?? 0);
      if (needed <= set.version) return set;
      return create(OperatorSetIdProtoSchema, { domain: set.domain, version: needed });
    });
    const known = new Set(old.map(({ domain }) => standardDomain(domain)));
    const added = [...this.#opsets].filter(([domain]) => !known.has(domain));
    return [
      ...old,
      ...added.map(([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) })
      ),
    ];
  }

  /** Exports leave a weight's transposition, or a second name for it, in the graph. */
  #follow(node: NodeProto): void {
    const { opType, domain, input, output } = node;
    const constant = this.#constants.get(input[0]);
    if (!constant || standardDomain(domain) !== "") return;
    if (opType === "Identity") this.#constants.set(output[0], constant);
    const [rows, columns, ...others] = constant.shape;
    if (opType !== "Transpose" || columns === undefined || others.length > 0) return;
    const perm = attributeOf(node, "perm")?.ints ?? [1n, 0n];
    if (perm[0] !== 1n) return;
    const isTransposed = !constant.isTransposed;
    this.#constants.set(output[0], { ...constant, shape: [columns, rows], isTransposed });
  }
}

/** What a `Constant` node holds, when that is a tensor, under the name of its value. */
function heldTensor(node: NodeProto): TensorProto | undefined {
  if (node.opType !== "Constant" || standardDomain(node.domain) !== "") return undefined;
  const tensor = attributeOf(node, "value")?.t;
  return tensor && Object.assign(create(TensorProtoSchema), tensor, { name: node.output[0] });
}
