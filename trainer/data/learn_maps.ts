/**
 * What a data set's own files say of its labels in coarser taxonomies: a hierarchy, and tables that list the same pictures
 * with coarser labels. Both may be missing; the tables win, and where they differ the user hears of it.
 */

import { join } from "node:path";
import { findTaxonomy } from "@clip-e/shared";
import { learnLabelMap, type OwnMaps, parseHierarchy } from "./label_maps.ts";
import type { Layout, TableLabels } from "./layout.ts";
import { findTable, readLayoutTable, type TableLine } from "./layout_tables.ts";

/** The maps, with sentences on how they came about. */
export interface LearnedMaps {
  /** By taxonomy and label. */
  readonly maps: OwnMaps;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/** A hierarchy's labels by taxonomy; one that is no label of the taxonomy has no counterpart. */
async function readHierarchy(path: string): Promise<Map<string, Map<string, string | null>>> {
  const text = await Deno.readTextFile(path).catch(() => "");
  const entries = [...parseHierarchy(text)];
  if (entries.length === 0) return new Map();
  const labels = new Set(findTaxonomy("primary")?.labels.map(({ id }) => id));
  return new Map<string, Map<string, string | null>>([
    [
      "primary",
      new Map(entries.map(([l, { primary }]) => [l, labels.has(primary) ? primary : null])),
    ],
    ["polarity", new Map(entries.map(([label, { polarity }]) => [label, polarity]))],
  ]);
}

/** The labels of pictures that are listed under both. */
function* pairsOf(
  fine: ReadonlyMap<string, string>,
  tables: readonly Iterable<TableLine | undefined>[],
): Generator<[fine: string, coarse: string]> {
  for (const table of tables) {
    for (const line of table) {
      const known = line && fine.get(line.path);
      if (line && known !== undefined) yield [known, line.label];
    }
  }
}

/**
 * Reads them.
 *
 * @param layout says which files
 * @param labels how its tables are written
 * @param folder the data set's
 * @param lines of its own tables
 */
export async function learnMaps(
  layout: Layout,
  labels: TableLabels,
  folder: string,
  lines: readonly TableLine[],
): Promise<LearnedMaps> {
  const maps = layout.hierarchy === undefined
    ? new Map<string, Map<string, string | null>>()
    : await readHierarchy(join(folder, layout.hierarchy));
  const notes: string[] = [];
  // Only where a coarser table is there.
  const fine = new Map<string, string>();
  for (const { taxonomy, names, tables } of layout.coarser) {
    const coarse: Iterable<TableLine | undefined>[] = [];
    for (const table of tables) {
      const name = await findTable(folder, table);
      if (name === undefined) continue;
      const naming = { names, firstIndex: layout.firstIndex, polarity: undefined };
      coarse.push(readLayoutTable(folder, { name, split: undefined }, labels, naming));
    }
    if (coarse.length === 0) continue;
    if (fine.size === 0) { for (const { path, label } of lines) fine.set(path, label); }
    const { map, pictures, disagreements } = learnLabelMap(pairsOf(fine, coarse));
    if (pictures === 0) continue;
    notes.push(
      `Which label of ${taxonomy} each label belongs to was learned from pictures that are listed ` +
        `under both: ${pictures}, of which disagree with the majority: ${disagreements}.`,
    );
    const before = maps.get(taxonomy);
    const differing = [...map].filter(([label, coarse]) => before && before.get(label) !== coarse);
    if (differing.length > 0) {
      const shown = differing.map(([label, coarse]) => `${label} is ${coarse}`).join(", ");
      notes.push(`That differs from ${layout.hierarchy}: by the pictures, ${shown}.`);
    }
    maps.set(taxonomy, new Map([...before ?? [], ...map]));
  }
  return { maps, notes };
}
