/**
 * Cross-entropy heads as `deno task train` fits them, with the pictures that each may be measured on. A training run shows
 * the scores of a cross-validation alone; here are its heads, to be given other features of the same pictures.
 */

import {
  type CrossEntropyHead,
  crossEntropyLogits,
  type LabelName,
  softmax,
  type Taxonomy,
} from "@clip-e/shared";
import { fitTemperature } from "../trainer/fit/calibration.ts";
import { fitCommittee } from "../trainer/experiment/committee.ts";
import type { FittedHead } from "../trainer/fit/fit.ts";
import { fitPlan } from "../trainer/experiment/fit_plan.ts";
import { chooseProtocol } from "../trainer/experiment/protocol.ts";
import type { Trainee } from "../trainer/experiment/rows.ts";
import type { Embedded } from "../trainer/experiment/run_experiment.ts";
import { taskTargets } from "../trainer/experiment/tasks.ts";
import { Random } from "../trainer/random.ts";

/** A head and the temperature of its scores. */
export interface Calibrated {
  readonly head: CrossEntropyHead;
  readonly temperature: number;
  /** Pictures that it has not seen; places in the examples. */
  readonly test: readonly number[];
}

/** How pictures are divided; the rest is as `deno task train` has it unless told otherwise. */
export interface CalibratedOptions {
  /** Cross-validation over so many folds. */
  readonly folds?: number;
  /** Without folds, the share of pictures to measure on. */
  readonly test?: number;
  /** Of splits and weights. */
  readonly seed: number;
  /** Called before each round. */
  readonly onRound?: (number: number) => void;
}

/** Heads that are averaged, and their hidden units together. */
const [MEMBERS, HIDDEN] = [4, 512];
/** As `runExperiment()` spaces the seeds of fits. */
const ROUNDS = 1009;

/**
 * Fits and calibrates a head in each round of the protocol.
 *
 * @param data whose labels are the taxonomy's
 * @param taxonomy to answer for
 * @param options how
 */
export async function fitCalibrated(
  data: Embedded,
  taxonomy: Taxonomy<LabelName>,
  { folds, test = 0.2, seed, onRound }: CalibratedOptions,
): Promise<Calibrated[]> {
  const labels = data.examples.map(({ label }) => label);
  const task = { taxonomy, labelOf: new Map(labels.map((label) => [label, label])) };
  const trainee: Trainee = { id: "head", kind: "cross-entropy", input: "raw", task };
  const targets = taskTargets(task, labels);
  const random = new Random(seed);
  const protocol = chooseProtocol(data.examples, { folds, test, validation: 0 }, random);
  const rounds: Calibrated[] = [];
  for (const [k, round] of protocol.measured.entries()) {
    onRound?.(k + 1);
    const number = round === protocol.served ? 0 : k + 1;
    const { head, members } = await fitCommittee(
      data.examples,
      round,
      MEMBERS,
      random,
      (member) =>
        fitPlan(data, {
          ...member,
          trainee,
          targets,
          seed: (seed * ROUNDS + number) * MEMBERS + member.member,
          name: trainee.id,
        }, { hidden: HIDDEN, balance: false, smoothing: 0 }),
    );
    const heldBack = members.flatMap(({ head, validation }) =>
      validation.map((i) => [i, crossEntropyLogits(crossEntropy(head), rowOf(data, i))] as const)
    );
    const temperature = fitTemperature(
      heldBack.map(([, logits]) => logits),
      heldBack.map(([i]) => targets[i]),
    );
    rounds.push({ head: crossEntropy(head), temperature, test: round.test });
  }
  return rounds;
}

/**
 * Scores a picture.
 *
 * @param calibrated by which
 * @param embedding `[D]`
 * @returns `[K]`
 */
export function scoreCalibrated(
  { head, temperature }: Calibrated,
  embedding: Float32Array,
): Float64Array {
  return softmax(crossEntropyLogits(head, embedding), temperature);
}

function crossEntropy(head: FittedHead["head"]): CrossEntropyHead {
  if (head.kind === "cross-entropy") return head;
  throw new TypeError(`Expected a cross-entropy head, not a ${head.kind} one`);
}

function rowOf({ embeddings, size }: Embedded, i: number): Float32Array {
  return embeddings.subarray(i * size, (i + 1) * size);
}
