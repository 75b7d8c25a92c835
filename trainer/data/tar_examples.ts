/**
 * Labelled pictures from WebDataset shards, `tar:PATTERN`: tar files whose members with one key are one example, as in
 * `dog_1.jpg` and `dog_1.cls`. The convention: https://github.com/webdataset/webdataset.
 */

import { dirname, join } from "node:path";
import { TrainerError } from "../errors.ts";
import { dataFailure, messageOf } from "./data_failure.ts";
import type { Example } from "./dataset.ts";
import { findFiles, type FoundFile } from "./find_files.ts";
import { OpenFiles } from "./open_files.ts";
import type { ShardedExamples } from "./sharded_examples.ts";
import { splitOfPath } from "./split_name.ts";
import { indexTar, type TarMember } from "./tar_index.ts";

const PICTURES: ReadonlySet<string> = new Set(["jpg", "jpeg", "png", "webp"]);
/** Files beside the shards that name labels by index, one a line. */
const NAME_FILES = ["classes.txt", "classnames.txt"];
const COMPRESSED = /\.(tar\.(gz|bz2|xz|zst)|tgz|tbz2?|txz)$/i;

/** The members of one example. */
interface Sample {
  picture?: TarMember;
  cls?: TarMember;
  json?: TarMember;
}

/** Members by key: what stands before the first dot of the name's last part. */
function samplesOf(members: readonly TarMember[], refuse: (why: string) => Error) {
  const samples = new Map<string, Sample>();
  for (const member of members) {
    const [, key, extension] = /^(.*?[^/.][^/.]*)\.([^/]*)$/s.exec(member.name) ?? [];
    if (key === undefined) continue;
    const kind = extension.toLowerCase();
    const field = PICTURES.has(kind) ? "picture" : kind === "cls" || kind === "json" ? kind : "";
    if (field === "") continue;
    const sample: Sample = samples.get(key) ?? {};
    if (sample[field]) throw refuse(`it has two ${kind} members with the key ${key}. Rename one`);
    sample[field] = member;
    samples.set(key, sample);
  }
  return samples;
}

/** The label in a `.json`: a text, or an index. */
function labelInJson(text: string, field: string): string | undefined {
  const json: unknown = JSON.parse(text);
  const value = typeof json === "object" && json !== null
    ? new Map<string, unknown>(Object.entries(json)).get(field)
    : undefined;
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** The names of labels by index, where a file beside the shards has them. */
async function readNames(shard: string): Promise<{ file: string; names: string[] } | undefined> {
  for (const file of NAME_FILES) {
    const text = await Deno.readTextFile(join(dirname(shard), file)).catch(() => undefined);
    const names = text?.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
    if (names !== undefined && names.length > 0) return { file, names };
  }
  return undefined;
}

/** Labels by index become names, where every label is an index that has one. */
function nameLabels(examples: readonly Example[], names: readonly string[]): Example[] | undefined {
  const isIndex = (label: string) => /^\d+$/.test(label) && Number(label) < names.length;
  if (!examples.every(({ label }) => isIndex(label))) return undefined;
  return examples.map((example) => ({ ...example, label: names[Number(example.label)] }));
}

function readShard(files: OpenFiles, shard: FoundFile, size: number, labelField: string) {
  const { path, name } = shard;
  const refuse = (why: string) => dataFailure(path, why);
  const members = indexTar(files, path, size);
  const textOf = ({ start, length }: TarMember) =>
    new TextDecoder().decode(files.read(path, start, length)).trim();
  const split = splitOfPath(name);
  const examples: Example[] = [];
  let unlabelled = 0;
  for (const [key, { picture, cls, json }] of samplesOf(members, refuse)) {
    if (picture === undefined) continue;
    let label: string | undefined;
    try {
      label = cls ? textOf(cls) : json ? labelInJson(textOf(json), labelField) : undefined;
    } catch (error) {
      throw refuse(`${key}.json is not JSON (${messageOf(error)}). Mend or remove it`);
    }
    if (label === undefined || label === "") {
      unlabelled++;
      continue;
    }
    const { start, length } = picture;
    const member = `${name}/${picture.name}`;
    const read = () =>
      Promise.resolve().then(() => readMember(files, path, picture.name, start, length));
    examples.push({ name: member, label, group: member, ...(split && { split }), read });
  }
  return { examples, unlabelled, members };
}

function readMember(files: OpenFiles, path: string, name: string, start: number, length: number) {
  const attempt = `Cannot read the picture ${name} in ${path}`;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = files.read(path, start, length);
  } catch (cause) {
    throw new TrainerError(`${attempt}: ${messageOf(cause)}`, { cause });
  }
  if (bytes.length === length) return bytes;
  throw new TrainerError(`${attempt}: the file has become shorter since it was listed`);
}

/**
 * Reads the examples of WebDataset shards. A key needs a picture (`.jpg`, `.jpeg`, `.png`, `.webp`) and a label: a `.cls`
 * with an index or a text, or a `.json` with a field `label`. Where `classes.txt` or `classnames.txt` lies beside the
 * shards, indexes become its names. Shards whose names start with `train`, `val` or `test` are those splits.
 *
 * @param pattern a tar file, a folder of them or a pattern such as `shards/train-{000..011}.tar`
 * @param labelField the field of a `.json`. By default `label`
 * @throws {TrainerError} when a shard cannot be read or none has labelled pictures
 */
export async function readTarExamples(
  pattern: string,
  labelField = "label",
): Promise<ShardedExamples> {
  const shards = await findFiles(pattern, [".tar", ".tar.gz", ".tgz"]);
  const compressed = shards.find(({ path }) => COMPRESSED.test(path));
  if (compressed !== undefined) {
    throw dataFailure(
      compressed.path,
      "it is compressed, so no picture can be read from its middle. Unpack it to a .tar, as with " +
        `gunzip ${compressed.name}`,
    );
  }
  const files = new OpenFiles();
  const examples: Example[] = [];
  let unlabelled = 0;
  let firstMembers: readonly TarMember[] = [];
  try {
    for (const shard of shards) {
      const { size } = await Deno.stat(shard.path);
      const read = readShard(files, shard, size, labelField);
      for (const example of read.examples) examples.push(example);
      unlabelled += read.unlabelled;
      if (firstMembers.length === 0) firstMembers = read.members;
    }
  } finally {
    files.close();
  }
  if (examples.length === 0) {
    const found = firstMembers.slice(0, 4).map(({ name }) => name).join(", ") || "nothing";
    throw dataFailure(
      pattern,
      "no member has both a picture and a label. Of each key there should be a .jpg, .png or .webp " +
        `and a .cls, or a .json with "${labelField}"; there are ${found}`,
    );
  }
  const names = await readNames(shards[0].path);
  const named = names && nameLabels(examples, names.names);
  const notes = [
    ...(unlabelled > 0 ? [`Pictures left out because they have no label: ${unlabelled}.`] : []),
    ...(named && names ? [`Labels are named by ${names.file}, which lies beside the shards.`] : []),
  ];
  return { examples: named ?? examples, notes, close: () => Promise.resolve(files.close()) };
}
