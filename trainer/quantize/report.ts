/**
 * What the quantiser did and left, node by node.
 */

/** What became of a node. */
export interface NodeReport {
  /** The node's name, or its output's. */
  readonly name: string;
  /** Its operator, as the model had it. */
  readonly operator: string;
  /** Its weights' name, where they are constant. */
  readonly weight?: string;
  /** Its weights' shape. */
  readonly shape?: readonly number[];
  /** What it was made of, a mode's name mostly; not there when the node was left as it was. */
  readonly done?: string;
  /** Why it was left as it was. */
  readonly left?: string;
}

/** What became of a model. */
export interface QuantizeReport {
  /** Nodes that were rewritten, or might have been expected to be. */
  readonly nodes: readonly NodeReport[];
  /** All other nodes, which are as they were: how many there are of each operator. */
  readonly others: Readonly<Record<string, number>>;
  /** Patterns of what to keep that fit no node and no weight. */
  readonly unused: readonly string[];
  /** Length of the whole model, in bytes, its weights beside it counted in. */
  readonly bytes: { readonly before: number; readonly after: number };
}
