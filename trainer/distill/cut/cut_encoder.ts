/**
 * A smaller encoder out of a trained one: it sees smaller pictures, and has lost the channels that matter least there. What is
 * left is no good encoder yet, but a good start for a student.
 */

import type { Backend } from "@clip-e/edge/encoder";
import { TrainerError } from "../../errors.ts";
import { Random } from "../../random.ts";
import { readOnnxLayers } from "../onnx_layers.ts";
import { channelGroups } from "./channel_groups.ts";
import { measureChannels } from "./channel_statistics.ts";
import { cutLayers } from "./cut_layers.ts";
import { writeLayers } from "./write_layers.ts";

/** What is cut, and how. */
export interface CutRequest {
  /** ONNX. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** For messages. */
  readonly name: string;
  /** S: side of the pictures that it is to see, in pixels. */
  readonly size: number;
  /** The share of the work inside its blocks that stays, above 0. */
  readonly keep: number;
  /** Pictures to measure on, `[B, 3, S, S]` normalised, each of the same number. */
  readonly batches: readonly Float32Array[];
  /** What computes. */
  readonly backend: Backend;
}

/** It is cut in so many rounds: what is left is measured again. */
const ROUNDS = 3;

/**
 * Cuts an encoder.
 *
 * @param request what, and how
 * @returns ONNX
 * @throws {TrainerError} when there is nothing in it that can be cut
 */
export async function cutEncoder(request: CutRequest): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes, name, size, keep, batches, backend } = request;
  let network = await readOnnxLayers(bytes, size, name);
  const random = new Random(0);
  let whole: number | undefined;
  for (let round = 1; round <= ROUNDS; round++) {
    const groups = channelGroups(network);
    if (groups.length === 0) {
      throw new TrainerError(
        `Cannot cut ${name}: it has no blocks with depthwise convolutions, as MobileNets have them. Use all of it`,
      );
    }
    const measured = { network, size, groups, batches, random, backend };
    const statistics = await measureChannels(measured);
    whole ??= statistics.reduce((sum, { work, mean }) => sum + work * mean.length, 0);
    network = cutLayers(network, groups, statistics, whole * keep ** (round / ROUNDS));
  }
  return writeLayers(network, size);
}
