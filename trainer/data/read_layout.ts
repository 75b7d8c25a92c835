/**
 * The one reader of every layout: from a folder and what it looks like to labelled pictures. What does not fit is refused
 * by saying what was looked for and what there is.
 */

import { resolve } from "node:path";
import { dataFailure, messageOf, quoteSome } from "./data_failure.ts";
import type { Example } from "./dataset.ts";
import { describeFolder } from "./find_pictures.ts";
import { findLabelFolders, type LabelFolder, listLabelFolders } from "./folder_examples.ts";
import type { OwnMaps } from "./label_maps.ts";
import { learnMaps } from "./learn_maps.ts";
import type { Layout, TableLabels } from "./layout.ts";
import { findTables, readLayoutTable, type TableLine } from "./layout_tables.ts";
import { pictureReader } from "./picture_file.ts";
import { choosePattern, placePicture, usefulPatterns } from "./place_pictures.ts";
import { uniquePictures } from "./unique_examples.ts";

/** What a folder was read as. */
export interface LayoutExamples {
  /** At least one. */
  readonly examples: readonly Example[];
  /** What the data set itself says of its labels in coarser taxonomies. */
  readonly maps: OwnMaps;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

async function readLabelFolders(
  layout: Layout,
  under: readonly string[],
  folder: string,
): Promise<LayoutExamples> {
  const { names, title } = layout;
  const spellings = new Map(names?.map((name) => [name.toLowerCase(), name]));
  for (const place of under) {
    const inner = resolve(folder, place);
    const isFolder = (await Deno.stat(inner).catch(() => null))?.isDirectory === true;
    const all = isFolder ? await findLabelFolders(inner) : [];
    const labelFolders = all.flatMap((one): LabelFolder[] => {
      const label = names ? spellings.get(one.label.toLowerCase()) : one.label;
      const path = place === "." ? one.path : `${place}/${one.path}`;
      return label === undefined ? [] : [{ ...one, path, label }];
    });
    if (labelFolders.length === 0) continue;
    const examples = await listLabelFolders(folder, labelFolders);
    if (examples.length === 0) continue;
    const labels = new Set(examples.map(({ label }) => label));
    const missing = (names ?? []).filter((name) => !labels.has(name));
    const skipped = all.length - labelFolders.length;
    const notes = [
      ...(missing.length > 0 ? [`There are no pictures of ${quoteSome(missing, 30)}.`] : []),
      ...(skipped > 0 ? [`Folders left out because they are no label: ${skipped}.`] : []),
    ];
    return { examples, maps: new Map(), notes };
  }
  const wanted = names
    ? `sub-folders ${quoteSome(names, 30)} with pictures`
    : "sub-folders with pictures";
  const places = under.map((place) => place === "." ? "itself" : `${place}/`).join(" or ");
  throw dataFailure(
    folder,
    `it does not look like ${title}: there are no ${wanted} in ${places}, but ` +
      `${await describeFolder(folder)}. Check the path, or describe how it lies with --layout FILE`,
  );
}

async function readTables(
  layout: Layout,
  labels: TableLabels,
  folder: string,
  groupBy: string | undefined,
): Promise<LayoutExamples> {
  const { title } = layout;
  const lines: TableLine[] = [];
  let unlabelled = 0;
  for (const table of await findTables(folder, title, labels.tables)) {
    for (const line of readLayoutTable(folder, table, labels, layout)) {
      if (line === undefined) unlabelled++;
      else lines.push(line);
    }
  }
  if (lines.length === 0) {
    throw dataFailure(folder, "every rating is in the dead zone. Make the dead zone smaller");
  }
  const learned = await learnMaps(layout, labels, folder, lines);
  const patterns = usefulPatterns(labels.pictures, lines[0]);
  const chosen = await choosePattern(folder, patterns, lines);
  if (chosen === undefined) {
    const tried = patterns.map((one) => placePicture(one, lines[0]));
    const there = await describeFolder(folder);
    throw dataFailure(
      folder,
      `it does not look like ${title}: none of the pictures is there that its tables list, such as ` +
        `${quoteSome(tried, 3)}, but ${there}. Put them there, or describe where they lie with ` +
        "--layout FILE",
    );
  }
  const { pattern, found, sought } = chosen;
  const { pictures, repeated, contradicted } = uniquePictures(
    lines,
    (line) => placePicture(pattern, line),
    (line) => ({
      name: placePicture(pattern, line),
      where: `line ${line.line} of ${line.table}`,
      said: { label: line.label, split: line.split, [groupBy ?? "group"]: line.group },
    }),
    (why) => {
      if (layout.contradictions === "leave-out") return;
      const mend = 'or leave such pictures out by a layout with "contradictions": "leave-out"';
      throw dataFailure(folder, `${why}, ${mend}`);
    },
  );
  const examples: Example[] = [];
  for (const [name, { label, split, group = name }] of pictures) {
    const read = pictureReader(folder, name);
    examples.push(split ? { name, label, group, split, read } : { name, label, group, read });
  }
  const counts: [what: string, count: number][] = [
    [`Listed pictures that are missing, of a sample of ${sought}`, sought - found],
    ["Lines that list a picture again, which counts once", repeated],
    ["Pictures left out because their lines contradict each other", contradicted],
    ["Pictures left out because their rating is in the dead zone", unlabelled],
  ];
  const notes = counts.flatMap(([what, count]) => count > 0 ? [`${what}: ${count}.`] : []);
  return { examples, maps: learned.maps, notes: [...notes, ...learned.notes] };
}

/**
 * Reads a folder by a layout. No picture is opened.
 *
 * @param layout what it looks like
 * @param path the folder
 * @param groupBy the column to group by, instead of the layout's own
 * @throws {TrainerError} when the layout does not fit, saying what was looked for and what was found
 */
export async function readLayout(
  layout: Layout,
  path: string,
  groupBy?: string,
): Promise<LayoutExamples> {
  const { labels, title, source } = layout;
  const folder = resolve(path);
  const info = await Deno.stat(folder).catch((error: unknown) => {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such folder"
      : messageOf(error);
    throw dataFailure(path, `${why}. Check the path`, error);
  });
  if (!info.isDirectory) throw dataFailure(path, `it is a file. Name the folder of ${title}`);
  if (groupBy !== undefined && labels.kind === "folders") {
    throw dataFailure(
      path,
      `it cannot be grouped by "${groupBy}": ${title} has no columns. Leave the grouping out`,
    );
  }
  const grouped = labels.kind === "tables" && groupBy !== undefined
    ? { ...labels, columns: { ...labels.columns, group: groupBy } }
    : labels;
  const read = grouped.kind === "folders"
    ? await readLabelFolders(layout, grouped.under, folder)
    : await readTables(layout, grouped, folder, groupBy);
  if (layout.isVerified) return read;
  const warning =
    `How ${title} lies on disk is taken from public descriptions (${source}) and was ` +
    "never seen: where it lies otherwise, describe it with --layout FILE.";
  return { ...read, notes: [warning, ...read.notes] };
}
