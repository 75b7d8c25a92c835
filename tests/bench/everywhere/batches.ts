/**
 * Whether pictures that are encoded together take less time each than one after another.
 *
 * An 8-bit encoder that measures its activations as it runs has one scale for a whole batch, so that what it says of a picture
 * depends on the pictures beside it: `drift` says how much.
 */

import { type Backend, type InputTensor, pickOutput } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING, goldenInput, relativeDistance } from "@clip-e/shared";
import type { ModelFiles } from "../../../trainer/quantize/mod.ts";
import { seededRandom } from "../../random.ts";
import { median, takeTurns } from "../quantized_latency/turns.ts";

/** What was measured of one size of batch. */
export interface BatchRow {
  /** Pictures encoded together. */
  readonly size: number;
  /** Of one picture, in milliseconds: the median batch's divided by its size. */
  readonly milliseconds: number;
  /** The first picture's embedding beside the one that it has alone, relative to the largest value. */
  readonly drift: number;
}

const { crop } = CLIP_PREPROCESSING;
const LENGTH = 3 * crop * crop;

/**
 * Measures batches that take turns.
 *
 * @param model `[N, 3, 224, 224]` to `[N, D]`
 * @param backend that runs it
 * @param sizes the first must be 1
 * @param rounds that count
 */
export async function measureBatches(
  { bytes, externalData }: ModelFiles,
  backend: Backend,
  sizes: readonly number[],
  rounds: number,
): Promise<BatchRow[]> {
  const session = await backend.open(bytes, externalData);
  try {
    const output = pickOutput(session.outputNames);
    const [input] = session.inputNames;
    const run = async (size: number) => {
      const { data } = await session.run({ [input]: makeBatch(size) }, output);
      if (!(data instanceof Float32Array)) throw new TypeError("The encoder does not give floats");
      return data.slice(0, data.length / size);
    };
    const alone = await run(1);
    const runs = new Map(sizes.map((size) => [String(size), () => run(size)]));
    const times = await takeTurns(runs, rounds);
    return await Promise.all(sizes.map(async (size) => ({
      size,
      milliseconds: median(times.get(String(size)) ?? []) / size,
      drift: relativeDistance(await run(size), alone),
    })));
  } finally {
    await session.close();
  }
}

/** Pictures that differ, the same ones first in every batch. */
function makeBatch(size: number): InputTensor {
  const random = seededRandom(3);
  const data = new Float32Array(size * LENGTH);
  data.set(goldenInput(CLIP_PREPROCESSING));
  for (let i = LENGTH; i < data.length; i++) data[i] = random.fraction() * 4 - 2;
  return { type: "float32", data, dims: [size, 3, crop, crop] };
}
