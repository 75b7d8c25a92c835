/**
 * The straight line of an experiment: every method's head is fitted in every round with every seed, chosen and calibrated
 * by pictures held back, and measured on pictures that none of that saw.
 */

import type { Head, Scoring } from "@clip-e/shared";
import { fitTemperature, topLabel } from "../fit/calibration.ts";
import type { Example } from "../data/dataset.ts";
import { TrainerError } from "../errors.ts";
import { Random } from "../random.ts";
import { comparableScores, logitsOf } from "./bundled_methods.ts";
import { type Committee, fitCommittee, type Fitted, type MemberPlan } from "./committee.ts";
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
  readonly fit: (plan: FitPlan) => Promise<Fitted>;
  /** Only measured on. */
  readonly others?: readonly OtherData[];
}

/** What is served of a row. */
export interface ServedRow {
  /** None for zero-shot. */
  readonly head?: Head;
  /** Fitted on pictures held back. */
  readonly scoring: Scoring;
  /** The epochs whose weights the members have. */
  readonly bestEpochs: readonly number[];
  /** How many units are hidden. */
  readonly hidden: number;
}

/** Scores of some pictures. */
export interface Scored {
  /** The data set's name; `undefined` for the one that was trained on. */
  readonly other?: string;
  /** Places in the data set's examples. */
  readonly indices: readonly number[];
  /** `[n]`, each picture's label. */
  readonly targets: Int32Array;
  /** Per seed and picture, `[K]`, summing to 1. */
  readonly scores: readonly (readonly Float64Array[])[];
}

/** A row's results. */
export interface RowOutcome {
  /** Which. */
  readonly row: Row;
  /** Of the first seed's heads, on pictures held back. */
  readonly validationAccuracy: number;
  /** Of the first seed, by all its pictures held back: whether the answer was right. */
  readonly served: ServedRow;
  /** On the data set itself. */
  readonly measured: Scored;
  /** On others that have the taxonomy. */
  readonly elsewhere: readonly Scored[];
}

/** How one head's training went. */
export interface FitCurve extends Fitted {
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

/** A row while its scores come in. */
interface OpenRow {
  readonly row: Row;
  readonly targets: Int32Array;
  readonly indices: number[];
  readonly scores: Float64Array[][];
  readonly elsewhere: Scored[];
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
  const labels = data.examples.map(({ label }) => label);
  const targetsOf = new Map<Task, Int32Array>(
    [...new Set(rows.flatMap(({ task, trainee }) => [task, ...(trainee ? [trainee.task] : [])]))]
      .map((task) => [task, taskTargets(task, labels)]),
  );
  const targets = (task: Task) => targetsOf.get(task) ?? new Int32Array();
  const open = rows.map((row): OpenRow => ({
    row,
    targets: targets(row.task),
    indices: protocol.measured.flatMap(({ test }) => labelled(test, targets(row.task))),
    scores: [],
    elsewhere: othersOf(row, options.others ?? []),
    validationAccuracy: NaN,
  }));
  const rounds = protocol.measured.includes(protocol.served)
    ? protocol.measured
    : [...protocol.measured, protocol.served];
  const curves: FitCurve[] = [];

  /** Lets a row answer with a committee, or with prompts alone. */
  const answer = (
    to: OpenRow,
    committee: Committee | undefined,
    round: Round,
    isFirst: boolean,
  ) => {
    const { row, targets } = to;
    const logits = (head: Head | undefined, i: number) => answerRow(row, head, rowOf(data, i));
    const heldBack = committee
      ? committee.members.flatMap(({ head, validation }) =>
        labelled(validation, targets).map((i) => [i, logits(head, i)] as const)
      )
      : labelled(round.validation ?? round.train, targets).map((i) =>
        [i, logits(undefined, i)] as const
      );
    const scoring = calibrate(row, heldBack, targets);
    const score = (i: number) => comparableScores(logits(committee?.head, i), scoring);
    to.scores[to.scores.length - 1].push(...labelled(round.test, targets).map(score));
    if (round !== protocol.served) return;
    for (const { other, indices, scores } of to.elsewhere) {
      const elsewhere = options.others?.find(({ name }) => name === other)?.data ?? data;
      const head = committee?.head;
      (scores as Float64Array[][]).push(
        indices.map((i) => comparableScores(answerRow(row, head, rowOf(elsewhere, i)), scoring)),
      );
    }
    if (!isFirst) return;
    const right = heldBack.filter(([i, z]) => topLabel(z) === targets[i]).length;
    to.validationAccuracy = right / heldBack.length;
    const head = committee && headOf(row, committee.head);
    to.served = {
      ...(head && { head }),
      scoring,
      bestEpochs: committee?.members.map(({ bestEpoch }) => bestEpoch) ?? [],
      hidden: head?.img_fc1.units ?? 0,
    };
  };

  for (const [s, seed] of options.seeds.entries()) {
    for (const one of open) if (one.row.trainee || s === 0) one.scores.push([]);
    for (const trainee of traineesOf(rows)) {
      const random = s === 0 ? Random.restore(options.random.state) : new Random(seed);
      for (const round of rounds) {
        const number = round === protocol.served ? 0 : rounds.indexOf(round) + 1;
        const committee = await fitCommittee(
          data.examples,
          labelledRound(round, targets(trainee.task), trainee),
          options.members,
          random,
          (plan) =>
            options.fit({
              ...plan,
              trainee,
              targets: targets(trainee.task),
              seed: (seed * ROUNDS + number) * plan.members + plan.member,
              name: nameOf(trainee, seed, number, plan),
            }),
        );
        if (round === protocol.served) curves.push({ ...committee.members[0], trainee, seed });
        for (const one of open) {
          if (one.row.trainee === trainee) answer(one, committee, round, s === 0);
        }
      }
    }
    for (const one of open) {
      if (one.row.trainee || s > 0) continue;
      for (const round of rounds) answer(one, undefined, round, true);
    }
  }
  return {
    rows: open.map(({ row, targets, indices, scores, elsewhere, validationAccuracy, served }) => {
      if (!served) throw new RangeError(`${row.name} was never served`);
      const measured = { indices, targets: Int32Array.from(indices, (i) => targets[i]), scores };
      return { row, validationAccuracy, served, measured, elsewhere };
    }),
    curves,
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

/** Where else a row's taxonomy is known. */
function othersOf({ task }: Row, others: readonly OtherData[]): Scored[] {
  return others.flatMap(({ name, data, tasks }) => {
    const same = tasks.find(({ taxonomy }) => taxonomy.id === task.taxonomy.id);
    if (!same) return [];
    const targets = taskTargets(same, data.examples.map(({ label }) => label));
    const indices = labelled([...targets.keys()], targets);
    return [{
      other: name,
      indices,
      targets: Int32Array.from(indices, (i) => targets[i]),
      scores: [],
    }];
  });
}

function rowOf({ embeddings, size }: Embedded, i: number): Float32Array {
  return embeddings.subarray(i * size, (i + 1) * size);
}

/** A trainee's head, as the row uses it. */
function headOf({ groups }: Row, head: Head): Head {
  return groups && head.kind === "cross-entropy" ? { ...head, groups } : head;
}

/** Logits `[K]` of a row. */
function answerRow(row: Row, head: Head | undefined, embedding: Float32Array): Float64Array {
  return logitsOf(head && headOf(row, head), row.task.zeroShot?.prompts, embedding);
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
  return comparableScores(answerRow(row, head, embedding), scoring);
}

/** Fits the temperature; sigmoid scores are the model's own and stay. */
function calibrate(
  { task: { zeroShot }, trainee }: Row,
  heldBack: readonly (readonly [i: number, logits: Float64Array])[],
  targets: Int32Array,
): Scoring {
  if (!trainee && zeroShot?.scoring.normalization === "sigmoid") return zeroShot.scoring;
  return {
    temperature: fitTemperature(
      heldBack.map(([, logits]) => logits),
      heldBack.map(([i]) => targets[i]),
    ),
  };
}
