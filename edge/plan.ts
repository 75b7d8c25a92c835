/**
 * Which methods answer a request: decided before a pixel is decoded, so that a wrong name costs nothing.
 */

import { ClipEError, type Scoring } from "@clip-e/shared";
import type { Method, MethodInfo, ModelInfo, TaxonomyInfo } from "./model_info.ts";

/** What a caller asks for. */
export interface ClassifyOptions {
  /** Ids of taxonomies, each answered once; by default all that the bundle can serve. */
  readonly taxonomies?: readonly string[];
  /**
   * A method by name, which is never replaced; or `auto`, the best that is available, or `all` of these, each with an answer
   * of its own, best first.
   */
  readonly method?: string;
  /** Labels of the caller's own, scored zero-shot in place of any taxonomy. */
  readonly labels?: readonly string[];
  /** How many scores to give of each taxonomy, the highest first; by default all. */
  readonly top?: number;
}

/** How one taxonomy will be answered. */
export interface PlannedPrediction extends Scoring {
  /** The taxonomy. */
  readonly taxonomy: TaxonomyInfo;
  /** The method that answers. */
  readonly method: Method;
  /** Whether a better method was passed over because something of it failed its check. */
  readonly degraded: boolean;
}

/**
 * Decides how each taxonomy is answered; where labels are asked for, none is.
 *
 * @param model what is there
 * @param options what is asked for
 * @throws {ClipEError} `unknown-taxonomy`, `unknown-method`, `method-unavailable`, `labels-not-served` or
 * `invalid-parameter`
 */
export function planPredictions(
  model: ModelInfo,
  options: ClassifyOptions = {},
): PlannedPrediction[] {
  const { method = "auto", top = 1 } = options;
  if (!Number.isInteger(top) || top < 1) {
    throw new ClipEError("invalid-parameter", `top must be a whole number from 1, got ${top}`);
  }
  if (options.labels) {
    checkLabels(model, options, options.labels);
    return [];
  }
  const ids = new Set(options.taxonomies ?? []);
  const taxonomies = ids.size > 0
    ? [...ids].map((id) => findTaxonomy(model, id))
    : model.taxonomies.filter((taxonomy) => canServe(taxonomy, method));
  if (taxonomies.length === 0) throw nothingServes(model, method);
  return taxonomies.flatMap((taxonomy) => plan(taxonomy, method));
}

/** Whether a method is no name, and what cannot be used is passed over. */
function isOpen(method: string): boolean {
  return method === "auto" || method === "all";
}

const MAX_LABELS = 100;
const MAX_LABEL_LENGTH = 300;

function checkLabels(
  model: ModelInfo,
  { taxonomies = [], method = "auto" }: ClassifyOptions,
  labels: readonly string[],
): void {
  const refuse = (why: string) => new ClipEError("invalid-parameter", why);
  if (taxonomies.length > 0) throw refuse("label and taxonomy do not go together");
  if (!isOpen(method) && method !== "zero-shot") {
    throw refuse(`label is answered by zero-shot alone, not by ${quote(method)}`);
  }
  if (labels.length < 2 || labels.length > MAX_LABELS) {
    throw refuse(`label must be given 2 to ${MAX_LABELS} times, not ${labels.length}`);
  }
  if (labels.some((label) => label.trim() === "" || label.length > MAX_LABEL_LENGTH)) {
    throw refuse(`label must be 1 to ${MAX_LABEL_LENGTH} characters long`);
  }
  const repeated = labels.find((label, i) => labels.indexOf(label) !== i);
  if (repeated !== undefined) throw refuse(`label ${quote(repeated)} is given more than once`);
  if (model.servesLabels) return;
  throw new ClipEError(
    "labels-not-served",
    "This bundle carries no text encoder, so labels have to be compiled into it: deno task build --labels FILE, " +
      "or --with-text for labels at request time",
  );
}

function findTaxonomy(model: ModelInfo, id: string): TaxonomyInfo {
  const found = model.taxonomies.find((taxonomy) => taxonomy.id === id);
  if (found) return found;
  throw new ClipEError(
    "unknown-taxonomy",
    `There is no taxonomy ${quote(id)} in this bundle: it serves ${
      list(model.taxonomies.map(({ id }) => id))
    }`,
  );
}

/** By default, a taxonomy that knows a method but cannot use it is asked for, so that the caller hears of it. */
function canServe({ methods }: TaxonomyInfo, method: string): boolean {
  if (isOpen(method)) return methods.some(({ available }) => available);
  return methods.some((entry) => entry.method === method);
}

function nothingServes(model: ModelInfo, method: string): ClipEError {
  if (isOpen(method)) {
    return unavailable("No taxonomy of this bundle can be answered now");
  }
  const known = new Set(model.taxonomies.flatMap(({ methods }) => methods.map((m) => m.method)));
  return unknownMethod(method, "any taxonomy of this bundle", [...known]);
}

/** One answer, or one by each method. */
function plan(taxonomy: TaxonomyInfo, method: string): PlannedPrediction[] {
  return chooseMethods(taxonomy, method).map((chosen) => {
    const better = taxonomy.methods.slice(0, taxonomy.methods.indexOf(chosen));
    return {
      taxonomy,
      method: chosen.method,
      temperature: chosen.temperature,
      normalization: chosen.normalization,
      bias: chosen.bias,
      degraded: isOpen(method) && better.some(({ fault }) => fault === "invalid"),
    };
  });
}

function chooseMethods({ id, methods }: TaxonomyInfo, method: string): readonly MethodInfo[] {
  if (isOpen(method)) {
    const available = methods.filter(({ available }) => available);
    if (available.length === 0) throw unavailable(`No method for ${id} can be used now`);
    return method === "all" ? available : available.slice(0, 1);
  }
  const named = methods.find((entry) => entry.method === method);
  if (!named) throw unknownMethod(method, `the taxonomy ${id}`, methods.map((m) => m.method));
  if (named.available) return [named];
  const why = named.fault === "invalid" ? "failed its check" : "is missing from the bundle";
  throw unavailable(`The method ${method} cannot answer ${id}: what it needs ${why}`);
}

function unknownMethod(method: string, where: string, known: readonly string[]): ClipEError {
  return new ClipEError(
    "unknown-method",
    `There is no method ${quote(method)} for ${where}: choose ${list(["auto", "all", ...known])}`,
  );
}

function unavailable(message: string): ClipEError {
  return new ClipEError("method-unavailable", message);
}

/** A caller's own words, shortened. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function list(names: readonly string[]): string {
  return names.join(", ");
}
