/**
 * Data sets are gathered from the same web: a picture that looks like a training picture would measure memory. So such
 * pictures do not measure, unless the user wants them to.
 */

import { findNearDuplicates } from "../embedding/near_duplicates.ts";
import type { LoadedData } from "./load_data.ts";
import type { Protocol } from "./protocol.ts";

/** Pictures by their perceptual hashes. */
export interface Hashed {
  /** `[N]`. */
  readonly hashes: BigUint64Array;
}

/** What is measured on. */
export interface MeasuredPictures {
  /** Of the data set that is trained on. */
  readonly protocol: Protocol;
  /** Other data sets. */
  readonly others: readonly LoadedData[];
  /** What was taken, in sentences. */
  readonly notes: readonly string[];
}

/** Pictures that a note names. */
const NAMED = 5;

/**
 * Takes what looks like training pictures from what measures.
 *
 * @param data that is trained on
 * @param others only measured on
 * @param protocol of `data`
 * @param options whether to keep them
 */
export function measuredPictures(
  data: LoadedData,
  others: readonly LoadedData[],
  protocol: Protocol,
  { keepNearDuplicates }: { readonly keepNearDuplicates: boolean },
): MeasuredPictures {
  if (keepNearDuplicates) return { protocol, others, notes: [] };
  const own = dropLookalikes(protocol, data);
  const { train, validation = [] } = protocol.served;
  const apart = others.map((other) => withoutLookalikes(other, data, [...train, ...validation]));
  return {
    protocol: own.protocol,
    others: apart.map(({ data }) => data),
    notes: [...noteOf(data, own.dropped), ...apart.flatMap(({ notes }) => notes)],
  };
}

/**
 * Takes from a data set what looks like training pictures.
 *
 * @param tested which data set
 * @param trained the training pictures'
 * @param train places of those
 * @returns the rest, and what was taken, in a sentence
 */
export function withoutLookalikes(
  tested: LoadedData,
  trained: Hashed,
  train: readonly number[],
): { readonly data: LoadedData; readonly notes: readonly string[] } {
  const found = findLookalikes(trained, train, tested, [...tested.hashes.keys()]);
  if (found.size === 0) return { data: tested, notes: [] };
  return { data: withoutPictures(tested, found), notes: noteOf(tested, [...found]) };
}

function noteOf({ dataset, examples }: LoadedData, found: readonly number[]): string[] {
  if (found.length === 0) return [];
  const names = found.slice(0, NAMED).map((i) => examples[i].name).join(", ");
  const are = found.length === 1 ? "picture looks" : "pictures look";
  return [
    `${found.length} ${are} like a training picture, and measured nothing in ${dataset.name}: ` +
    `${names}${found.length > NAMED ? " ..." : ""}.`,
  ];
}

/**
 * Which pictures look like training pictures.
 *
 * @param trained whose
 * @param train places of training pictures
 * @param tested whose pictures may measure
 * @param test places of those
 * @returns places in `tested`
 */
export function findLookalikes(
  trained: Hashed,
  train: readonly number[],
  tested: Hashed,
  test: readonly number[],
): Set<number> {
  const pick = ({ hashes }: Hashed, some: readonly number[]) =>
    BigUint64Array.from(some, (i) => hashes[i]);
  const pairs = findNearDuplicates(pick(trained, train), pick(tested, test));
  return new Set(pairs.map((pair) => test[pair.test]));
}

/**
 * Takes from every round's test part what looks like something in its training part.
 *
 * @param protocol with its rounds
 * @param data whose pictures they are of
 * @returns the protocol, and places of what was taken
 */
export function dropLookalikes(
  protocol: Protocol,
  data: Hashed,
): { readonly protocol: Protocol; readonly dropped: readonly number[] } {
  const dropped: number[] = [];
  const measured = protocol.measured.map((round) => {
    const { train, validation = [], test } = round;
    const found = findLookalikes(data, [...train, ...validation], data, test);
    dropped.push(...found);
    return found.size === 0 ? round : { ...round, test: test.filter((i) => !found.has(i)) };
  });
  const at = protocol.measured.indexOf(protocol.served);
  return { protocol: { ...protocol, measured, served: measured[at] ?? protocol.served }, dropped };
}

function withoutPictures(data: LoadedData, places: ReadonlySet<number>): LoadedData {
  const { examples, embeddings, hashes, size } = data;
  const kept = [...examples.keys()].filter((i) => !places.has(i));
  const rows = new Float32Array(kept.length * size);
  kept.forEach((i, n) => rows.set(embeddings.subarray(i * size, (i + 1) * size), n * size));
  return {
    ...data,
    examples: kept.map((i) => examples[i]),
    embeddings: rows,
    hashes: BigUint64Array.from(kept, (i) => hashes[i]),
  };
}
