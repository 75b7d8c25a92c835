/**
 * The straight line of an experiment: every method's head is fitted in every round with every seed, chosen and calibrated
 * by pictures held back, and measured on pictures that none of that saw.
 */

import {
  cosineLogits,
  type Head,
  labelLogits,
  projectionLogits,
  type Scoring,
} from "@clip-e/shared";
import { fitTemperature, topLabel } from "../fit/calibration.ts";
import type { Example } from "../data/dataset.ts";
import { TrainerError } from "../errors.ts";
import { evaluate, type Evaluation } from "../evaluation/evaluate.ts";
import { type Device, WASM } from "../fit/device.ts";
import type { FittedHead } from "../fit/fit.ts";
import { visitOutputs } from "../fit/head_outputs.ts";
import { Random } from "../random.ts";
import { comparableScores, logitsOf } from "./bundled_methods.ts";
import { type Committee, fitCommittee, type MemberPlan } from "./committee.ts";
import type { Protocol, Round } from "./protocol.ts";
import { type Row, type Trainee, traineesOf } from "./rows.ts";
import { type Task, taskTargets } from "./tasks.ts";

/** Pictures with their embeddings. */
export interface Embedded {
  /** In order. */
  readonly examples: readonly Example[];
  /** `[N, D]`, row-major. */
  readonly embeddings: Float32Array;
  /** D. */
  readonly size: number;
}

/** A data set that is only measured on. */
export interface OtherData {
  /** For tables. */
  readonly name: string;
  /** Its pictures. */
  readonly data: Embedded;
  /** What can be answered for them. */
  readonly tasks: readonly Task[];
}

/** What to fit: one member of one committee. */
export interface FitPlan extends MemberPlan {
  /** What is trained. */
  readonly trainee: Trainee;
  /** `[N]`, the trainee's labels; -1 is never among `train` and `validation`. */
  readonly targets: Int32Array;
  /** Of first weights and order. */
  readonly seed: number;
  /** What checkpoints and progress call it. */
  readonly name: string;
}

/** Options of {@linkcode runExperiment}. */
export interface ExperimentOptions {
  /** Of splits and weights; the first is the one that is served. */
  readonly seeds: readonly number[];
  /** Heads to average, where a round holds nothing back. */
  readonly members: number;
  /** Divides pictures among the first seed's members; not consumed. */
  readonly random: Random;
  /** Fits one head. */
  readonly fit: (plan: FitPlan) => Promise<FittedHead>;
  /** Only measured on. */
  readonly others?: readonly OtherData[];
  /** What computes; WebAssembly by default. */
  readonly device?: Device;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** What is served of a row. */
export interface ServedRow {
  /** None for zero-shot. */
  readonly head?: Head;
  /** Fitted on pictures held back. */
  readonly scoring: Scoring;
  /** The epochs whose weights the members have. */
  readonly bestEpochs: readonly number[];
}

/** Scores of some pictures. */
export interface Scored {
  /** The data set's name; `undefined` for the one that was trained on. */
  readonly other?: string;
  /** Places in the data set's examples. */
  readonly indices: readonly number[];
  /** `[n]`, each picture's label. */
  readonly targets: Int32Array;
  /** Of the first seed, per picture, `[K]`, summing to 1. */
  readonly scores: readonly Float64Array[];
  /** Per seed. */
  readonly evaluations: readonly Evaluation[];
}

/** A row's results. */
export interface RowOutcome {
  /** Which. */
  readonly row: Row;
  /** Of the first seed's heads, on pictures held back. */
  readonly validationAccuracy: number;
  /** What the first seed's heads are served as. */
  readonly served: ServedRow;
  /** On the data set itself. */
  readonly measured: Scored;
  /** On others that have the taxonomy. */
  readonly elsewhere: readonly Scored[];
}

/** How one head's training went. */
export interface FitCurve extends FittedHead {
  /** What was trained. */
  readonly trainee: Trainee;
  /** Its seed. */
  readonly seed: number;
}

/** What came of it. */
export interface ExperimentOutcome {
  /** In the order of the rows given. */
  readonly rows: readonly RowOutcome[];
  /** Of the heads that are served, and of their like with other seeds; the first member's. */
  readonly curves: readonly FitCurve[];
}

/** Pictures that a row is measured on, while their scores come in. */
interface Open {
  readonly other?: string;
  readonly data: Embedded;
  /** `[N]`, or -1. */
  readonly labels: Int32Array;
  readonly indices: number[];
  readonly targets: number[];
  /** Of the seed at hand. */
  scores: Float64Array[];
  /** Of the first seed. */
  first: Float64Array[];
  readonly evaluations: Evaluation[];
}

/** A row while its scores come in. */
interface OpenRow {
  readonly row: Row;
  readonly own: Open;
  readonly elsewhere: readonly Open[];
  validationAccuracy: number;
  served?: ServedRow;
}

/**
 * Runs an experiment.
 *
 * @param data to learn from
 * @param rows to compare
 * @param protocol who learns and who measures
 * @param options how
 * @throws {TrainerError} when there is too little of something, or a fit fails
 */
export async function runExperiment(
  data: Embedded,
  rows: readonly Row[],
  protocol: Protocol,
  options: ExperimentOptions,
): Promise<ExperimentOutcome> {
  const { seeds, members, others = [], device = WASM, signal } = options;
  const open = rows.map((row): OpenRow => ({
    row,
    own: openData(data, row.task),
    elsewhere: others.flatMap(({ name, data, tasks }) => {
      const same = tasks.find(({ taxonomy }) => taxonomy.id === row.task.taxonomy.id);
      return same ? [{ other: name, ...openData(data, same) }] : [];
    }),
    validationAccuracy: NaN,
  }));
  const rounds = protocol.measured.includes(protocol.served)
    ? protocol.measured
    : [...protocol.measured, protocol.served];
  const curves: FitCurve[] = [];

  /** Gives rows what a head, or nothing but the embedding, says of pictures. */
  const visit = async (
    head: Head | undefined,
    { embeddings, size }: Embedded,
    indices: readonly number[],
    each: (i: number, logitsOf: (row: Row) => Float64Array) => void,
  ) => {
    const tell = (i: number, outputs?: Float32Array) => {
      const embedding = embeddings.subarray(i * size, (i + 1) * size);
      each(i, (row) => rowLogits(row, head, embedding, outputs));
    };
    if (head) await visitOutputs(head, indices, { embeddings, size, device, signal }, tell);
    else for (const i of indices) tell(i);
  };

  /** Lets rows answer with a committee, or with prompts alone, for the pictures of a round. */
  const answer = async (
    some: readonly OpenRow[],
    committee: Committee | undefined,
    round: Round,
    isFirst: boolean,
  ) => {
    const heldBack = some.map(() => ({ logits: [] as Float64Array[], targets: [] as number[] }));
    const parts = committee?.members ??
      [{ head: undefined, validation: round.validation ?? round.train }];
    for (const { head, validation } of parts) {
      await visit(head, data, validation, (i, logitsOf) => {
        for (const [r, { row, own: { labels } }] of some.entries()) {
          if (labels[i] < 0) continue;
          heldBack[r].logits.push(logitsOf(row));
          heldBack[r].targets.push(labels[i]);
        }
      });
    }
    const scorings = some.map(({ row }, r) => calibrate(row, heldBack[r]));
    const score = async (which: (row: OpenRow) => Open | undefined, indices: readonly number[]) => {
      const [place] = some.flatMap((one) => which(one) ?? []);
      if (!place) return;
      await visit(committee?.head, place.data, indices, (i, logitsOf) => {
        for (const [r, one] of some.entries()) {
          const to = which(one);
          if (to) addScores(to, i, comparableScores(logitsOf(one.row), scorings[r]), isFirst);
        }
      });
    };
    await score(({ own }) => own, round.test);
    if (round !== protocol.served) return;
    for (const { name, data } of others) {
      const at = ({ elsewhere }: OpenRow) => elsewhere.find(({ other }) => other === name);
      await score(at, [...data.examples.keys()]);
    }
    if (!isFirst) return;
    for (const [r, one] of some.entries()) {
      const { logits, targets } = heldBack[r];
      one.validationAccuracy = logits.filter((z, n) => topLabel(z) === targets[n]).length /
        logits.length;
      const head = committee && headOf(one.row, committee.head);
      one.served = {
        ...(head && { head }),
        scoring: scorings[r],
        bestEpochs: committee?.members.map(({ bestEpoch }) => bestEpoch) ?? [],
      };
    }
  };

  for (const [s, seed] of seeds.entries()) {
    const isFirst = s === 0;
    for (const trainee of traineesOf(rows)) {
      const some = open.filter(({ row }) => row.trainee === trainee);
      const targets = taskTargets(trainee.task, data.examples.map(({ label }) => label));
      const random = isFirst ? Random.restore(options.random.state) : new Random(seed);
      for (const round of rounds) {
        const number = round === protocol.served ? 0 : rounds.indexOf(round) + 1;
        const committee = await fitCommittee(
          data.examples,
          labelledRound(round, targets, trainee),
          members,
          random,
          (plan) =>
            options.fit({
              ...plan,
              trainee,
              targets,
              seed: (seed * ROUNDS + number) * plan.members + plan.member,
              name: nameOf(trainee, seed, number, plan),
            }),
        );
        if (round === protocol.served) curves.push({ ...committee.members[0], trainee, seed });
        await answer(some, committee, round, isFirst);
      }
      for (const one of some) closeSeed(one, isFirst);
    }
    const untrained = open.filter(({ row }) => !row.trainee);
    if (!isFirst || untrained.length === 0) continue;
    for (const round of rounds) await answer(untrained, undefined, round, true);
    for (const one of untrained) closeSeed(one, true);
  }
  return {
    rows: open.map(({ row, own, elsewhere, validationAccuracy, served }) => {
      if (!served) throw new RangeError(`${row.name} was never served`);
      const measured = toScored(own);
      return { row, validationAccuracy, served, measured, elsewhere: elsewhere.map(toScored) };
    }),
    curves,
  };
}

function openData(data: Embedded, task: Task): Open {
  const labels = taskTargets(task, data.examples.map(({ label }) => label));
  return { data, labels, indices: [], targets: [], scores: [], first: [], evaluations: [] };
}

function addScores(to: Open, i: number, scores: Float64Array, isFirst: boolean): void {
  if (to.labels[i] < 0) return;
  to.scores.push(scores);
  if (!isFirst) return;
  to.indices.push(i);
  to.targets.push(to.labels[i]);
}

/** A seed's scores are measured at once, and only the first one's are kept: there are many. */
function closeSeed({ row, own, elsewhere }: OpenRow, isFirst: boolean): void {
  for (const one of [own, ...elsewhere]) {
    if (one.scores.length > 0) {
      const classes = row.task.taxonomy.labels.length;
      one.evaluations.push(evaluate(one.scores, one.targets, classes));
    }
    if (isFirst) one.first = one.scores;
    one.scores = [];
  }
}

function toScored({ other, indices, targets, first, evaluations }: Open): Scored {
  return {
    ...(other !== undefined && { other }),
    indices,
    targets: Int32Array.from(targets),
    scores: first,
    evaluations,
  };
}

/** More than there are ever rounds, so that seeds of fits do not meet. */
const ROUNDS = 1009;

function nameOf({ id }: Trainee, seed: number, round: number, { member, members }: MemberPlan) {
  return [
    id,
    `seed ${seed}`,
    ...(round > 0 ? [`fold ${round}`] : []),
    ...(members > 1 ? [`member ${member + 1} of ${members}`] : []),
  ].join(", ");
}

function labelled(some: readonly number[], targets: Int32Array): number[] {
  return some.filter((i) => targets[i] >= 0);
}

function labelledRound(round: Round, targets: Int32Array, { task }: Trainee): Round {
  const train = labelled(round.train, targets);
  if (train.length === 0) {
    throw new TrainerError(`No training picture has a label of ${task.taxonomy.id}`);
  }
  return {
    train,
    ...(round.validation && { validation: labelled(round.validation, targets) }),
    test: round.test,
  };
}

/** A trainee's head, as the row uses it. */
function headOf({ groups }: Row, head: Head): Head {
  return groups && head.kind === "cross-entropy" ? { ...head, groups } : head;
}

/** Logits `[K]` of a row: of what its head's last layer gives, or of the embedding alone. */
function rowLogits(
  { groups, task }: Row,
  head: Head | undefined,
  embedding: Float32Array,
  outputs: Float32Array = embedding,
): Float64Array {
  if (head?.kind === "cross-entropy") {
    return labelLogits(groups ? { ...head, groups } : head, outputs);
  }
  const prompts = task.zeroShot?.prompts;
  if (!prompts) throw new RangeError(`${task.taxonomy.id} has no prompts`);
  return head
    ? projectionLogits(head, outputs, embedding, prompts)
    : cosineLogits(embedding, prompts);
}

/**
 * Scores one picture as the row is served.
 *
 * @param row which
 * @param served its head and temperature
 * @param embedding `[D]`
 * @returns `[K]`, summing to 1
 */
export function scoreServed(
  row: Row,
  { head, scoring }: ServedRow,
  embedding: Float32Array,
): Float64Array {
  return comparableScores(logitsOf(head, row.task.zeroShot?.prompts, embedding), scoring);
}

/** Fits the temperature; sigmoid scores are the model's own and stay. */
function calibrate(
  { task: { zeroShot }, trainee }: Row,
  { logits, targets }: { logits: readonly Float64Array[]; targets: readonly number[] },
): Scoring {
  if (!trainee && zeroShot?.scoring.normalization === "sigmoid") return zeroShot.scoring;
  return { temperature: fitTemperature(logits, targets) };
}
