/**
 * A Parquet file: what its footer says, and which of its columns hold pictures and labels.
 */

import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetSchema,
  type SchemaTree,
} from "hyparquet";
import { dataFailure, messageOf, quoteSome } from "./data_failure.ts";
import type { FoundFile } from "./find_files.ts";
import { type HubFeature, hubFeatures } from "./hub_features.ts";
import type { OpenFiles } from "./open_files.ts";

/** A Parquet file and what its footer says. */
export interface ParquetFile extends FoundFile {
  /** Its length in bytes. */
  readonly size: number;
  /** The footer. */
  readonly metadata: FileMetaData;
  /** The schema, column by column. */
  readonly columns: readonly SchemaTree[];
  /** What the hub says of its columns. */
  readonly features: ReadonlyMap<string, HubFeature>;
}

/** Names that columns of labels have, the likeliest first. */
const LABEL_NAMES = ["label", "labels", "emotion", "sentiment", "class", "category", "fine_label"];

/**
 * A file as the Parquet library reads it.
 *
 * @param files to read with
 * @param path the file
 * @param byteLength its length
 */
export function bufferOf(files: OpenFiles, path: string, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: (start: number, end = byteLength) => files.read(path, start, end - start).buffer,
  };
}

/**
 * Reads a file's footer.
 *
 * @throws {TrainerError} when it has none
 */
export async function openParquet(files: OpenFiles, found: FoundFile): Promise<ParquetFile> {
  const { size } = await Deno.stat(found.path);
  try {
    const metadata = await parquetMetadataAsync(bufferOf(files, found.path, size));
    const columns = parquetSchema(metadata).children;
    return { ...found, size, metadata, columns, features: hubFeatures(metadata) };
  } catch (error) {
    const why = `it is no Parquet file, or damaged (${messageOf(error)}). Get the file again`;
    throw dataFailure(found.path, why, error);
  }
}

const nameOf = ({ element }: SchemaTree): string => element.name;

/** Whether a column can hold picture files: bytes, or a struct with bytes, as the hub writes them. */
function holdsPictures({ element, children }: SchemaTree): boolean {
  const bytes = children.find((child) => nameOf(child) === "bytes");
  if (bytes !== undefined) return bytes.element.type === "BYTE_ARRAY";
  const isText = element.converted_type !== undefined || element.logical_type !== undefined;
  return element.type === "BYTE_ARRAY" && !isText;
}

const columnsSentence = ({ columns }: ParquetFile): string =>
  `Its columns are ${quoteSome(columns.map(nameOf), 20)}`;

/**
 * Refuses a column that a file has not.
 *
 * @throws {TrainerError} naming those that it has
 */
export function requireColumn(file: ParquetFile, name: string): string {
  if (file.columns.some((column) => nameOf(column) === name)) return name;
  throw dataFailure(file.path, `there is no column "${name}". ${columnsSentence(file)}`);
}

/** The one column that is meant; a guess is only taken where it is the only one. */
function chooseColumn(
  file: ParquetFile,
  what: "picture" | "label",
  named: string | undefined,
  candidates: readonly string[],
): string {
  if (named !== undefined) return requireColumn(file, named);
  if (candidates.length === 1) return candidates[0];
  const why = candidates.length === 0
    ? `no column is known to hold ${what}s`
    : `${quoteSome(candidates)} could all hold ${what}s`;
  throw dataFailure(
    file.path,
    `${why}. ${columnsSentence(file)}. Name the column with --${what}-column`,
  );
}

/**
 * Finds the columns of pictures and of labels: those that are named, that the hub's metadata says, or whose kind or name
 * leaves no doubt.
 *
 * @throws {TrainerError} where that is not clear, naming the columns
 */
export function chooseColumns(
  file: ParquetFile,
  options: { readonly picture?: string | undefined; readonly label?: string | undefined },
): { picture: string; label: string } {
  const { columns, features } = file;
  const withType = (type: string) =>
    columns.map(nameOf).filter((n) => features.get(n)?.type === type);
  const firstOf = (...lists: string[][]) => lists.find((list) => list.length > 0) ?? [];
  const pictures = firstOf(withType("Image"), columns.filter(holdsPictures).map(nameOf));
  const known = LABEL_NAMES.filter((name) => columns.some((column) => nameOf(column) === name));
  const labels = firstOf(withType("ClassLabel"), known.slice(0, 1));
  return {
    picture: chooseColumn(file, "picture", options.picture, pictures),
    label: chooseColumn(file, "label", options.label, labels),
  };
}
