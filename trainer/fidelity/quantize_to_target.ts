/**
 * A quantised encoder that stays as near to the float one as was asked for: whatever can be is quantised, and nodes that
 * hurt stay in floats.
 *
 * They are ranked by what each costs alone; how many of the first have to be kept, and which of them need not, the cosine
 * of whole models decides.
 */

import type { Backend } from "@clip-e/edge/encoder";
import { TrainerError } from "../errors.ts";
import type { PictureInputs } from "./open_for_pictures.ts";
import { openJudge } from "./judge.ts";
import { measureHarms } from "./ranking.ts";
import {
  findKept,
  makeProbe,
  type NodeReport,
  type OnnxModel,
  type QuantizedModel,
  quantizeModel,
  type QuantizeOptions,
  WeightCache,
} from "../quantize/mod.ts";
import { spread } from "../spread.ts";

/** Options of {@linkcode quantizeToTarget}. */
export interface TargetOptions {
  /** The least cosine that a picture's two embeddings may have, on every backend. */
  readonly target: number;
  /** To try on, the fastest first. */
  readonly backends: readonly Backend[];
  /** How many pictures the ranking looks at; 8 by default. The verdicts look at all. */
  readonly rankingPictures?: number;
  /** Told of each step, in words. */
  readonly onStep?: (words: string) => void;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** What was found of a node that can be quantised. */
export interface NodeHarm {
  /** The node's name. */
  readonly name: string;
  /** Its part of the weights that can be quantised. */
  readonly share: number;
  /** What the worst picture's cosine loses when this node alone is quantised: 1 - cosine. */
  readonly harm: number;
  /** Whether it was kept in floats. */
  readonly isKept: boolean;
}

/** How a target was met. */
export interface TargetSearch {
  /** The target. */
  readonly target: number;
  /** The nodes that can be quantised, the worst first; none where everything could be, so that nothing was ranked. */
  readonly nodes: readonly NodeHarm[];
  /** The part of the weights that can be quantised which was kept in floats. */
  readonly keptShare: number;
  /** How many models were tried. */
  readonly trials: number;
}

/**
 * Quantises a model so that each picture's embedding keeps its direction.
 *
 * @param model in 32-bit floats; it is not changed
 * @param options how to quantise, in a mode of integers
 * @param pictures to measure by
 * @param aim what to reach
 * @throws {TrainerError} when the target cannot be met, even with all nodes in floats
 * @throws {ClipEError} when the model is not an image encoder
 */
export async function quantizeToTarget(
  model: OnnxModel,
  options: QuantizeOptions,
  pictures: PictureInputs,
  aim: TargetOptions,
): Promise<QuantizedModel & { readonly search: TargetSearch }> {
  const { target, onStep = () => {} } = aim;
  const cached = { cache: new WeightCache(), ...options };
  const keeping = (kept: readonly string[]) =>
    quantizeModel(model, { ...cached, keep: [...options.keep ?? [], ...kept] });
  onStep(`Embedding ${pictures.inputs.length} pictures with the float encoder`);
  const isNearEnough = await openJudge(model, pictures, aim);
  let trials = 0;
  const isEnough = async (kept: readonly string[]) => {
    trials++;
    const { model } = await keeping(kept);
    const verdict = await isNearEnough(model);
    const kind = kept.length === 0 ? "all quantised" : `${kept.length} in floats`;
    onStep(`Trial ${trials}, ${kind}: the cosine is ${verdict ? "at least" : "below"} ${target}`);
    return verdict;
  };

  const whole = await keeping([]);
  if (await isEnough([])) return { ...whole, search: { target, nodes: [], keptShare: 0, trials } };
  const ranked = await rankNodes(model, cached, whole.report.nodes, pictures, aim);
  // Keeping none has just failed.
  const kept = await findKept(
    ranked.map(({ name }) => name),
    async (some) => some.length > 0 && await isEnough(some),
  );
  if (!kept) {
    throw new TrainerError(
      `Cannot meet a cosine of ${target}: it is missed even with every node in floats. Ask for less`,
    );
  }
  const nodes = ranked.map((node) => ({ ...node, isKept: kept.includes(node.name) }));
  const keptShare = nodes.reduce((sum, { share, isKept }) => isKept ? sum + share : sum, 0);
  return { ...await keeping(kept), search: { target, nodes, keptShare, trials } };
}

/** The nodes that were quantised, the most harmful first. */
async function rankNodes(
  model: OnnxModel,
  options: QuantizeOptions,
  reports: readonly NodeReport[],
  { crop, inputs }: PictureInputs,
  { backends: [backend], rankingPictures = 8, onStep, signal }: TargetOptions,
): Promise<Omit<NodeHarm, "isKept">[]> {
  const done = new Map(reports.filter((node) => node.done).map((node) => [node.name, node]));
  const probe = await makeProbe(model, options, new Set(done.keys()));
  const some = { crop, inputs: spread(inputs, rankingPictures) };
  onStep?.(`Quantising each of ${done.size} nodes alone, on ${some.inputs.length} pictures`);
  let count = 0;
  const onPicture = () => onStep?.(`Ranked by ${++count} of ${some.inputs.length} pictures`);
  const harms = await measureHarms(probe, some, { backend, onPicture, signal });
  const sizes = probe.names.map((name) => (done.get(name)?.shape ?? []).reduce((a, b) => a * b, 1));
  const all = sizes.reduce((a, b) => a + b, 0);
  return probe.names
    .map((name, i) => ({ name, share: sizes[i] / all, harm: harms[i] }))
    .sort((a, b) => b.harm - a.harm);
}
