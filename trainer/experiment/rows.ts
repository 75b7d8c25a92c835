/**
 * Which methods an experiment compares, and what has to be trained for them. The paper's three come plain; what goes beyond
 * it stands beside them as rows of its own.
 */

import { labelGroups, labelParents } from "../evaluation/label_groups.ts";
import type { Task } from "./tasks.ts";

/** The ways from an embedding to scores, as manifests name them. */
export type Method = "zero-shot" | "cross-entropy" | "contrastive";

/** Something to train: one head, which may answer for several tasks. */
export interface Trainee {
  /** What checkpoints and progress call it. */
  readonly id: string;
  /** An `adapter` is a contrastive head whose output is blended with the embedding itself. */
  readonly kind: "cross-entropy" | "contrastive" | "adapter";
  /** Whether it sees embeddings as they are, or of length 1. */
  readonly input: "raw" | "unit";
  /** Whose labels it learns. */
  readonly task: Task;
}

/** One line of a task's table. */
export interface Row {
  /** The task's. */
  readonly task: Task;
  /** What tables call it. */
  readonly name: string;
  /** What it is served as. */
  readonly method: Method;
  /** Whether it goes beyond the paper. */
  readonly isVariant: boolean;
  /** Where its head comes from; none for zero-shot. */
  readonly trainee?: Trainee;
  /** `[K of the trainee's task]`: the label here that each label there belongs to, or -1. */
  readonly groups?: Int32Array;
}

/**
 * Lists the rows that are possible.
 *
 * @param tasks finest first
 * @param size D, of the embeddings
 * @param withVariants whether to go beyond the paper
 * @returns in the order of tables
 */
export function listRows(tasks: readonly Task[], size: number, withVariants: boolean): Row[] {
  const trainees = new Map<string, Trainee>();
  const trainee = (kind: Trainee["kind"], input: Trainee["input"], task: Task): Trainee => {
    const id = [kind, ...(input === "unit" ? ["unit"] : []), task.taxonomy.id].join("-");
    const known = trainees.get(id) ?? { id, kind, input, task };
    trainees.set(id, known);
    return known;
  };
  const finestPrompted = tasks.find(({ zeroShot }) => zeroShot);
  return tasks.flatMap((task): Row[] => {
    const rows: Row[] = [];
    const add = (name: string, method: Method, more: Omit<Row, "task" | "name" | "method">) => {
      if (withVariants || !more.isVariant) rows.push({ task, name, method, ...more });
    };
    if (task.zeroShot?.prompts.size === size) add("zero-shot", "zero-shot", { isVariant: false });
    add("cross-entropy", "cross-entropy", {
      isVariant: false,
      trainee: trainee("cross-entropy", "raw", task),
    });
    add("cross-entropy, unit input", "cross-entropy", {
      isVariant: true,
      trainee: trainee("cross-entropy", "unit", task),
    });
    for (const finer of tasks) {
      const groups = finer === task ? undefined : findGroups(finer, task);
      if (!groups) continue;
      add(`cross-entropy, summed from ${finer.taxonomy.id}`, "cross-entropy", {
        isVariant: true,
        trainee: trainee("cross-entropy", "raw", finer),
        groups,
      });
    }
    if (finestPrompted && task.zeroShot) {
      const prompted = (kind: Trainee["kind"], input: Trainee["input"]) =>
        trainee(kind, input, finestPrompted);
      add("contrastive", "contrastive", {
        isVariant: false,
        trainee: prompted("contrastive", "raw"),
      });
      add("contrastive, unit input", "contrastive", {
        isVariant: true,
        trainee: prompted("contrastive", "unit"),
      });
      if (finestPrompted.zeroShot?.prompts.size === size) {
        add("contrastive, residual adapter", "contrastive", {
          isVariant: true,
          trainee: prompted("adapter", "unit"),
        });
      }
    }
    return rows;
  });
}

/** What has to be trained for some rows, each once. */
export function traineesOf(rows: readonly Row[]): Trainee[] {
  return [...new Set(rows.flatMap(({ trainee }) => trainee ?? []))];
}

/** Of each label of a finer task its place in a coarser one; `undefined` where one lies not in the other. */
function findGroups(finer: Task, coarser: Task): Int32Array | undefined {
  const ids = ({ taxonomy }: Task) => taxonomy.labels.map(({ id }) => id);
  if (ids(finer).length <= ids(coarser).length) return undefined;
  try {
    const parents = labelParents(finer.labelOf, coarser.labelOf);
    return labelGroups(ids(finer), ids(coarser), parents);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
