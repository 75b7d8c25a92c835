/**
 * How many pictures a second a pool answers, by its workers and the threads of each.
 */

import { createWorkerPool } from "@clip-e/edge/deno";
import { makeTemporaryFolder } from "../../e2e/temporary_folder.ts";
import { type BundleFiles, writeBundleFiles } from "../../synthetic_bundle.ts";
import { median } from "../quantized_latency/turns.ts";

/** How a pool is made. */
export interface PoolShape {
  /** What runs the encoder. */
  readonly backend: "native" | "wasm";
  /** Pictures computed at once. */
  readonly workers: number;
  /** Of each worker's runs; WebAssembly has one. */
  readonly threads: number;
}

/** What was measured of a pool. */
export interface PoolRow extends PoolShape {
  /** Pictures a second, while every worker has one and one waits for each. */
  readonly throughput: number;
  /** Of a picture on an idle pool, in milliseconds, the median. */
  readonly latency: number;
  /** From when it opens until it answers its first picture, in milliseconds. */
  readonly start: number;
}

/**
 * Measures pools one after another, each alone.
 *
 * @param bundle that they serve
 * @param picture a file
 * @param shapes of the pools
 * @param count pictures of each measurement
 */
export async function measurePools(
  bundle: BundleFiles,
  picture: Uint8Array<ArrayBuffer>,
  shapes: readonly PoolShape[],
  count: number,
): Promise<PoolRow[]> {
  const folder = await makeTemporaryFolder("pools");
  try {
    await writeBundleFiles(bundle, folder.url);
    const rows: PoolRow[] = [];
    for (const shape of shapes) {
      rows.push({ ...shape, ...await measurePool(folder.url.pathname, picture, shape, count) });
    }
    return rows;
  } finally {
    await folder.remove();
  }
}

async function measurePool(
  bundle: string,
  picture: Uint8Array<ArrayBuffer>,
  shape: PoolShape,
  count: number,
): Promise<Omit<PoolRow, keyof PoolShape>> {
  const opened = performance.now();
  const pool = await createWorkerPool({ bundle, ...shape });
  try {
    // Its bytes are handed over.
    const timed = async () => {
      const start = performance.now();
      await pool.classify(picture.slice());
      return performance.now() - start;
    };
    await timed();
    const start = performance.now() - opened;
    const alone: number[] = [];
    for (let i = 0; i < count; i++) alone.push(await timed());
    let left = count * shape.workers;
    const all = left;
    const flood = performance.now();
    const lane = async () => {
      while (left-- > 0) await timed();
    };
    await Promise.all(Array.from({ length: 2 * shape.workers }, lane));
    const throughput = all / (performance.now() - flood) * 1000;
    return { throughput, latency: median(alone), start };
  } finally {
    await pool.close();
  }
}
