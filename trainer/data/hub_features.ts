/**
 * What the hub's library writes into a Parquet file's metadata about its columns: under the key `huggingface`, JSON with
 * `info.features`. The library: https://github.com/huggingface/datasets, `Features`.
 */

import type { FileMetaData } from "hyparquet";
import { z } from "zod";

/** A column's feature. */
export interface HubFeature {
  /** Such as `Image` or `ClassLabel`. */
  readonly type: string | undefined;
  /** Of a `ClassLabel`: the labels' names, by index. */
  readonly names: readonly string[] | undefined;
}

const schema = z.object({
  info: z.object({
    features: z.record(
      z.string(),
      z.object({ _type: z.string().optional(), names: z.array(z.string()).optional() })
        .catch({ _type: undefined, names: undefined }),
    ),
  }),
});

/** The features of a file's columns, by column; none where the hub's library did not write it. */
export function hubFeatures(metadata: FileMetaData): Map<string, HubFeature> {
  const text = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (text === undefined) return new Map();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return new Map();
  }
  const result = schema.safeParse(json);
  if (!result.success) return new Map();
  const features = Object.entries(result.data.info.features);
  return new Map(features.map(([name, { _type, names }]) => [name, { type: _type, names }]));
}
