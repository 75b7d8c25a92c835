/**
 * Which layers hurt: what the embeddings lose when a node alone is quantised. Errors of early nodes may grow on their way,
 * and those of others come to nothing, so that it is the embedding that is looked at, not the node's own output.
 */

import { type Backend, pickOutput } from "@clip-e/edge/encoder";
import { breather } from "../breather.ts";
import { cosine } from "./cosines.ts";
import type { PictureInputs } from "./open_for_pictures.ts";
import { modelFiles, type Probe } from "../quantize/mod.ts";

/** Options of {@linkcode measureHarms}. */
export interface RankingOptions {
  /** To run on. */
  readonly backend: Backend;
  /** Told after each picture. */
  readonly onPicture?: () => void;
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures each node of a probe.
 *
 * @param probe of an image encoder
 * @param pictures few: each takes as many runs as there are nodes
 * @param options what runs it
 * @returns for each node what the worst picture's cosine loses when that node alone is quantised: 1 - cosine
 */
export async function measureHarms(
  { model, switches, names }: Probe,
  { crop, inputs }: PictureInputs,
  { backend, onPicture, signal }: RankingOptions,
): Promise<readonly number[]> {
  const breathe = breather(signal);
  const { bytes, externalData } = await modelFiles(model);
  const session = await backend.open(bytes, externalData);
  const [input] = session.inputNames;
  const output = pickOutput(session.outputNames);
  const harms = names.map(() => 0);
  try {
    for (const data of inputs) {
      const pixels = { type: "float32", data, dims: [1, 3, crop, crop] } as const;
      const embed = async (quantized?: number) => {
        await breathe();
        const choice = Float32Array.from(names, (_, i) => i === quantized ? 1 : 0);
        const tensor = { type: "float32", data: choice, dims: [names.length] } as const;
        const result = await session.run({ [input]: pixels, [switches]: tensor }, output);
        if (result.data instanceof Float32Array) return result.data.slice();
        throw new TypeError(`The output ${output} is of type ${result.type}`);
      };
      const expected = await embed();
      for (const i of names.keys()) {
        harms[i] = Math.max(harms[i], 1 - cosine(await embed(i), expected));
      }
      onPicture?.();
    }
    return harms;
  } finally {
    await session.close();
  }
}
