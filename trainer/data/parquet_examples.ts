/**
 * Labelled pictures from Parquet files, `parquet:PATTERN`, as data sets of the hub come: a column of pictures, each the
 * bytes of a picture file, and a column of labels, whose names the file's metadata may give.
 */

import { dataFailure } from "./data_failure.ts";
import type { Example } from "./dataset.ts";
import { findFiles } from "./find_files.ts";
import { OpenFiles } from "./open_files.ts";
import { chunksOf, PictureChunks, readRows } from "./parquet_chunks.ts";
import { chooseColumns, openParquet, requireColumn } from "./parquet_file.ts";
import type { ShardedExamples } from "./sharded_examples.ts";
import { splitOfPath } from "./split_name.ts";

/** Options of {@linkcode readParquetExamples}. */
export interface ParquetOptions {
  /** The column to group by; by default each example is its own group. */
  readonly groupBy?: string | undefined;
  /** The column of pictures. By default what the metadata or the columns' kinds and names say. */
  readonly picture?: string | undefined;
  /** The column of labels. By default what the metadata or the columns' names say. */
  readonly label?: string | undefined;
}

/** A text, a whole number or bytes of text; `undefined` for what is missing. */
function wordOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return undefined;
}

/**
 * Reads the examples of Parquet files. Files whose names start with `train`, `validation` or `test`, or that lie in folders
 * of such names, are those splits.
 *
 * @param pattern a Parquet file, a folder of them or a pattern
 * @param options which columns
 * @throws {TrainerError} when a file cannot be read, or its columns are not clear
 */
export async function readParquetExamples(
  pattern: string,
  options: ParquetOptions = {},
): Promise<ShardedExamples> {
  const found = await findFiles(pattern, [".parquet"]);
  const files = new OpenFiles();
  const reader = new PictureChunks(files);
  const examples: Example[] = [];
  let unlabelled = 0;
  try {
    for (const one of found) {
      const file = await openParquet(files, one);
      const { picture, label } = chooseColumns(file, options);
      const { groupBy } = options;
      if (groupBy !== undefined) requireColumn(file, groupBy);
      const names = file.features.get(label)?.names;
      const split = splitOfPath(file.name);
      for (const chunk of chunksOf(file)) {
        const readChunk = (column: string) => readRows(files, file, column, chunk);
        const labels = await readChunk(label);
        const groups = groupBy === undefined ? undefined : await readChunk(groupBy);
        for (let row = chunk.start; row < chunk.end; row++) {
          const word = wordOf(labels[row - chunk.start]);
          // The hub writes -1 where a test set's labels are kept back.
          if (word === undefined || (names && word === "-1")) {
            unlabelled++;
            continue;
          }
          const name = `${file.name}#${row}`;
          examples.push({
            name,
            label: names?.[Number(word)] ?? word,
            group: groups ? wordOf(groups[row - chunk.start]) ?? name : name,
            ...(split && { split }),
            read: () => reader.read(file, picture, chunk, row),
          });
        }
      }
    }
  } finally {
    files.close();
  }
  if (examples.length === 0) throw dataFailure(pattern, "no row has a label");
  const notes = unlabelled > 0
    ? [`Pictures left out because they have no label: ${unlabelled}.`]
    : [];
  const close = () => {
    reader.clear();
    return Promise.resolve(files.close());
  };
  return { examples, notes, close };
}
