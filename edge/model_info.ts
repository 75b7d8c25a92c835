/**
 * What a classifier says of its model: which taxonomies it serves, by which methods, and which of those cannot be used.
 */

import {
  type Bundle,
  labelCount,
  type ManifestMethod,
  type ManifestTaxonomy,
  type Normalization,
  type PartFault,
} from "@clip-e/shared";

/** The ways from an embedding to scores. */
export const METHODS = ["cross-entropy", "contrastive", "zero-shot"] as const;

/** A way from an embedding to scores. */
export type Method = (typeof METHODS)[number];

/** One way to answer for a taxonomy. */
export interface MethodInfo {
  /** Its name. */
  readonly method: Method;
  /** Divides the logits. */
  readonly temperature: number;
  /** How they become scores: `softmax` scores sum to 1, `sigmoid` scores each label on its own. */
  readonly normalization: Normalization;
  /** Added before a sigmoid. */
  readonly bias?: number;
  /** Whether it can answer now. */
  readonly available: boolean;
  /** Why it cannot: `missing` is a choice, `invalid` is damage. */
  readonly fault?: PartFault["fault"];
  /** Measured on data that it was not fitted to. */
  readonly figures?: Readonly<Record<string, number>>;
  /** What the figures were measured on. */
  readonly measured?: string;
}

/** A taxonomy that the bundle serves. */
export interface TaxonomyInfo {
  /** What requests and answers call it. */
  readonly id: string;
  /** What people read. */
  readonly title: string;
  /** In order. */
  readonly labels: readonly { readonly id: string; readonly title: string }[];
  /** Best first, by measured validation. */
  readonly methods: readonly MethodInfo[];
}

/** What a classifier says of its model. */
export interface ModelInfo {
  /** The model's name. */
  readonly name: string;
  /** The digest of the bundle's manifest, which pins every byte of the model. */
  readonly bundle: string;
  /** What the embeddings are of. */
  readonly embeddingSpace: { readonly id: string; readonly size: number };
  /** Which encoder runs, and what runs it. */
  readonly encoder: {
    readonly file: string;
    readonly precision: string;
    readonly backend: string;
    readonly crop: number;
  };
  /** In the order of answers. */
  readonly taxonomies: readonly TaxonomyInfo[];
  /** Present when callers may ask for labels of their own. */
  readonly servesLabels?: true;
  /** Parts of the bundle that are not in use, and why. */
  readonly faults: readonly PartFault[];
  /** Where data and weights come from. */
  readonly provenance: Readonly<Record<string, string>>;
  /** Of the weights. */
  readonly license: string;
  /** Markdown. */
  readonly modelCard?: string;
}

/**
 * Describes the taxonomies of a bundle, with the methods that this code knows.
 *
 * @param bundle opened
 */
export function describeTaxonomies(bundle: Bundle): TaxonomyInfo[] {
  return bundle.manifest.taxonomies.map((taxonomy) => ({
    id: taxonomy.id,
    title: taxonomy.title,
    labels: taxonomy.labels,
    methods: taxonomy.methods.flatMap((entry): MethodInfo[] => {
      const method = METHODS.find((known) => known === entry.method);
      if (!method) return [];
      const fault = findFault(bundle, taxonomy, entry);
      return [{
        method,
        temperature: entry.temperature,
        normalization: entry.normalization ?? "softmax",
        ...(entry.bias !== undefined && { bias: entry.bias }),
        available: fault === undefined,
        ...(fault && { fault: fault.fault }),
        ...(entry.figures && { figures: entry.figures }),
        ...(entry.measured !== undefined && { measured: entry.measured }),
      }];
    }),
  }));
}

/**
 * Finds parts that are whole and do not fit together, such as a head with fewer units than its taxonomy has labels.
 *
 * @param bundle opened; faults that it knows of are not told again
 */
export function findMisfits(bundle: Bundle): PartFault[] {
  return bundle.manifest.taxonomies.flatMap((taxonomy) =>
    taxonomy.methods.flatMap((entry) => {
      if (!METHODS.some((known) => known === entry.method)) return [];
      const fault = findFault(bundle, taxonomy, entry);
      return fault?.fault === "invalid" && !bundle.faults.includes(fault) ? [fault] : [];
    })
  );
}

/** Why a method cannot be used; `undefined` when it can. */
function findFault(
  bundle: Bundle,
  { id, labels }: ManifestTaxonomy,
  entry: ManifestMethod,
): PartFault | undefined {
  const head = entry.head === undefined ? undefined : bundle.heads.get(entry.head);
  const prompts = bundle.prompts.get(id);
  const missing = (part: string): PartFault =>
    bundle.faults.find((fault) => fault.part === part) ??
      { part, fault: "missing", detail: `${entry.method} for ${id} needs it` };
  if (entry.method !== "zero-shot" && !head) return missing(`heads/${entry.head}`);
  if (entry.method !== "cross-entropy" && !prompts) return missing(`prompts/${id}`);

  const fits = {
    "cross-entropy": () => head?.kind === "cross-entropy" && labelCount(head) === labels.length,
    "contrastive": () => head?.kind === "contrastive" && head.img_fc2.units === prompts?.size,
    "zero-shot": () => prompts?.size === bundle.manifest.embeddingSpace.size,
  }[entry.method as Method];
  if (fits()) return undefined;
  const needs = entry.method === "zero-shot" ? `prompts/${id}` : `heads/${entry.head}`;
  return {
    part: needs,
    fault: "invalid",
    detail: `${needs} does not fit ${entry.method} for ${id}, which has ${labels.length} labels`,
  };
}
