/**
 * What a run is about to do, before it does it: data found, steps, and about how long they take.
 */

import type { Dataset } from "../data/dataset.ts";
import type { Embedder } from "../embedding/embedder.ts";
import { spread } from "../spread.ts";
import type { Protocol } from "./protocol.ts";
import { type Row, traineesOf } from "./rows.ts";

/** What is known of a run beforehand. */
export interface RunPlan {
  /** A line for each data set. */
  readonly data: readonly string[];
  /** The encoder, its backend and its workers, in words. */
  readonly encoder: string;
  /** How long embedding takes. */
  readonly embedding: EmbeddingEstimate;
  /** What is compared. */
  readonly rows: readonly Row[];
  /** Who learns and who measures. */
  readonly protocol: Protocol;
  /** How many seeds. */
  readonly seeds: number;
  /** Heads that are averaged, where a round holds nothing back. */
  readonly members: number;
  /** How heads are fitted, in words. */
  readonly training: string;
  /** How long an epoch of all heads takes at least, in seconds. */
  readonly epochSeconds: number;
  /** Where the bundle goes. */
  readonly out: string;
  /** Where the report goes. */
  readonly report: string;
}

/** How long embedding takes, by a sample. */
export interface EmbeddingEstimate {
  /** All pictures. */
  readonly pictures: number;
  /** About how many of them have to be encoded. */
  readonly unknown: number;
  /** About how long that takes; absent where the sample was known. */
  readonly seconds?: number;
}

/** Pictures of the sample: they are embedded, and stay so. */
const SAMPLE = 32;

/**
 * Embeds a few pictures from all over, and measures how long that takes.
 *
 * @param datasets whose
 * @param embedder by which
 * @param signal ends the work
 */
export async function estimateEmbedding(
  datasets: readonly Dataset[],
  embedder: Embedder,
  signal: AbortSignal,
): Promise<EmbeddingEstimate> {
  const examples = datasets.flatMap(({ examples }) => examples);
  const sample = spread(examples, SAMPLE);
  let rate = 0;
  const { cached } = await embedder.fill(sample, {
    signal,
    onProgress: (progress) => void (rate = progress.rate),
  });
  const unknown = Math.round(examples.length * (1 - cached / sample.length));
  return {
    pictures: examples.length,
    unknown,
    ...(rate > 0 && { seconds: unknown / rate }),
  };
}

/** How many heads are fitted in all. */
export function countFits(
  rows: readonly Row[],
  { measured, served }: Protocol,
  seeds: number,
  members: number,
): number {
  const rounds = measured.includes(served) ? measured : [...measured, served];
  const heads = rounds.map(({ validation }) => validation ? 1 : members);
  return traineesOf(rows).length * seeds * heads.reduce((a, b) => a + b, 0);
}

/**
 * Writes the plan.
 *
 * @param plan what is known
 * @returns lines for a terminal
 */
export function formatPlan(plan: RunPlan): string {
  const { rows, protocol, seeds, members } = plan;
  const tasks = [...new Set(rows.map(({ task }) => task))];
  const fits = countFits(rows, protocol, seeds, members);
  const lines: [string, string][] = [
    ...plan.data.map((line, i): [string, string] => [i === 0 ? "Data" : "", line]),
    ["Encoder", plan.encoder],
    ["Embed", embeddingWords(plan.embedding)],
    ...tasks.map((task, i): [string, string] => [
      i === 0 ? "Compare" : "",
      `${task.taxonomy.id}: ${
        rows.filter((row) => row.task === task).map(({ name }) => name).join("; ")
      }`,
    ]),
    [
      "Train",
      `${fits} ${fits === 1 ? "head" : "heads"}: ${
        traineesOf(rows).map(({ id }) => id).join(", ")
      }${seeds > 1 ? `, ${seeds} seeds each` : ""}`,
    ],
    ["", `${plan.training}, at least ${duration(plan.epochSeconds)} for an epoch of all of them`],
    ["Measure", protocol.words],
    ["Write", `${plan.out}, report in ${plan.report}`],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return ["Plan", ...lines.map(([name, words]) => `  ${name.padEnd(width)}  ${words}`)].join("\n");
}

function embeddingWords({ pictures, unknown, seconds }: EmbeddingEstimate): string {
  const all = `${count(pictures)} pictures`;
  if (seconds === undefined) return `${all}, all or most of them known already`;
  const known = pictures - unknown;
  const about = `about ${duration(seconds)}`;
  return known === 0 ? `${all}, ${about}` : `${all}, about ${count(known)} of them known: ${about}`;
}

function count(n: number): string {
  return n.toLocaleString("en");
}

/** About how long, in the unit that people would use. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  if (seconds < 6000) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
