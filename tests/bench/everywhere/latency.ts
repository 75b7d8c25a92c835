/**
 * How long one picture's encoding takes natively beside WebAssembly, all taking turns in one run.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";
import { CLIP_PREPROCESSING, goldenInput } from "@clip-e/shared";
import { makeTowers, type TowerKind } from "../quantized_latency/towers.ts";
import { median, takeTurns } from "../quantized_latency/turns.ts";

/** What was measured. */
export interface LatencyRow {
  /** Of the weights. */
  readonly precision: "float" | "int8";
  /** Of the native backend. */
  readonly threads: number;
  /** Median, in milliseconds. */
  readonly wasm: number;
  /** Median, in milliseconds. */
  readonly native: number;
  /** How many times faster native is. */
  readonly ratio: number;
}

const PRECISIONS: readonly (readonly [LatencyRow["precision"], TowerKind])[] = [
  ["float", "float"],
  ["int8", "int8-dynamic"],
];

/**
 * Measures ViT-B/32's true shape.
 *
 * @param threads of the native backend, each number by itself; WebAssembly has one
 * @param rounds that count
 */
export async function measureLatency(
  threads: readonly number[],
  rounds: number,
): Promise<LatencyRow[]> {
  const towers = await makeTowers("vit-b-32", ["int8-dynamic"]);
  const { crop } = CLIP_PREPROCESSING;
  const pixels = goldenInput(CLIP_PREPROCESSING);
  const backends = new Map([
    ["wasm", wasmBackend] as const,
    ...threads.map((count) => [`native ${count}`, openNativeBackend({ threads: count })] as const),
  ]);
  await using stack = new AsyncDisposableStack();
  const runs = new Map<string, () => Promise<unknown>>();
  for (const [precision, kind] of PRECISIONS) {
    const tower = towers.get(kind);
    if (!tower) throw new Error(`There is no tower of the kind ${kind}`);
    const { bytes, externalData } = tower;
    for (const [name, backend] of backends) {
      const encoder = await openEncoder(bytes, crop, { backend, externalData });
      stack.defer(() => encoder.close());
      runs.set(`${precision} ${name}`, () => encoder.encode(pixels));
    }
  }
  const times = await takeTurns(runs, rounds);
  const of = (name: string) => median(times.get(name) ?? []);
  return PRECISIONS.flatMap(([precision]) =>
    threads.map((count) => {
      const [wasm, native] = [of(`${precision} wasm`), of(`${precision} native ${count}`)];
      return { precision, threads: count, wasm, native, ratio: wasm / native };
    })
  );
}
