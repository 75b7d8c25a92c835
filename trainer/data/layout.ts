/**
 * What a data set on disk looks like, as data: where its pictures and labels are, what the labels are called, which
 * pictures are for testing. One reader reads every layout, so a data set that lies otherwise needs a JSON file, not code.
 */

import { findTaxonomy, TAXONOMIES } from "@clip-e/shared";
import { z } from "zod";
import { SPLITS } from "./dataset.ts";
import { SEPARATORS } from "./table.ts";

const text = z.string().min(1);
const relative = text.refine((path) => !path.startsWith("/") && !path.split("/").includes(".."), {
  message: "must lie in the data set's folder: a relative path without ..",
});
const oneOrMore = z.union([relative.transform((one) => [one]), z.array(relative).min(1)], {
  error: "must be a relative path without .., or a list of them",
});
const column = z.union([text, z.int().min(1)]);
const split = z.enum(SPLITS);

/** A table, by the names that it may have; the first that is there counts. */
const table = z.strictObject({ file: oneOrMore, split: split.optional() });

const folders = z.strictObject({
  kind: z.literal("folders"),
  /** Folders that may hold the label folders; the first that is there counts. */
  under: oneOrMore.default(["."]),
});

const tables = z.strictObject({
  kind: z.literal("tables"),
  tables: z.array(table).min(1),
  separator: z.enum(SEPARATORS).default("comma"),
  hasHeader: z.boolean(),
  columns: z.strictObject({
    /** Of a picture's path, or of its address: then its last part is its file. */
    picture: column,
    /** Of a label, or of its index in `names`. Where there is none, the picture's folder is its label. */
    label: column.optional(),
    /** Of a number, which `polarity` makes a label of. */
    valence: column.optional(),
    split: column.optional(),
    group: column.optional(),
  }),
  /**
   * Where pictures may lie, the likeliest first: `{path}` as the table has it, `{file}` its last part, `{label}`,
   * `{index}` the label as the table writes it, `{split}`. The one that most of a sample of pictures have counts.
   */
  pictures: z.array(relative).min(1).default(["{path}"]),
});

/** By label of the data set, a taxonomy's label; `null` leaves the label out. */
const map = z.record(z.string(), z.union([text, z.null()]));

/** The schema of a layout; its field names are those of a layout file. */
export const layoutSchema = z.strictObject({
  /** Short, for tables of results. */
  id: text,
  /** For messages: what the data set is called, with its year. */
  title: text,
  /** The paper, and the page or code from which the layout is known. */
  source: text,
  /** Whether somebody has read the data set itself with it. */
  isVerified: z.boolean(),
  labels: z.discriminatedUnion("kind", [folders, tables]),
  /** The labels' names, by index; of label folders, those that count. */
  names: z.array(text).min(2).optional(),
  /** The index of the first name. */
  firstIndex: z.int().default(0),
  /** What its labels are of: a taxonomy's id, or a name of their own. */
  taxonomy: text.optional(),
  /** Makes labels of numbers: positive above the threshold, else negative; nothing that is no farther than the dead zone. */
  polarity: z.strictObject({ threshold: z.number(), deadZone: z.number().min(0).default(0) })
    .optional(),
  /** What becomes of a picture whose lines contradict each other. */
  contradictions: z.enum(["refuse", "leave-out"]).default("refuse"),
  /** Its labels in coarser taxonomies, where they differ from what is known of the taxonomy. */
  maps: z.record(z.string(), map).default({}),
  /** Tables, which may be missing, of the same pictures with coarser labels: from them the maps are learned. */
  coarser: z.array(z.strictObject({
    taxonomy: text,
    names: z.array(text).min(2),
    tables: z.array(table).min(1),
  })).default([]),
  /** A file, which may be missing, of tuples ('label', 'primary emotion', '+ or -'), as WEBEmo has it. */
  hierarchy: relative.optional(),
}).superRefine((layout, context) => {
  const { labels, polarity, names, maps, coarser } = layout;
  const issue = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path, message });
  if (labels.kind === "tables") {
    const { columns, hasHeader } = labels;
    for (const [name, value] of Object.entries(columns)) {
      if (hasHeader || typeof value !== "string") continue;
      issue(["labels", "columns", name], "must be a place, from 1: the tables have no header");
    }
    if (columns.valence !== undefined && columns.label !== undefined) {
      issue(
        ["labels", "columns"],
        "a table has either labels or numbers: name one of label, valence",
      );
    }
    if ((columns.valence === undefined) !== (polarity === undefined)) {
      issue(["polarity"], "goes with a column of numbers: labels.columns.valence");
    }
    if (columns.valence !== undefined && names !== undefined) {
      issue(["names"], "are of no use where labels come of numbers");
    }
  } else if (polarity !== undefined) {
    issue(["polarity"], "goes with a column of numbers, which label folders have not");
  }
  for (const [i, { taxonomy, names }] of coarser.entries()) {
    const wrong = unknownLabel(taxonomy, names);
    if (wrong) issue(["coarser", i, "names"], wrong);
  }
  for (const [taxonomy, entries] of Object.entries(maps)) {
    const used = Object.values(entries).filter((label) => label !== null);
    const wrong = unknownLabel(taxonomy, used);
    if (wrong) issue(["maps", taxonomy], wrong);
  }
});

/** Why labels are not all of a taxonomy. */
function unknownLabel(id: string, labels: readonly string[]): string | undefined {
  const taxonomy = findTaxonomy(id);
  if (taxonomy === undefined) {
    return `there is no taxonomy "${id}". There are ${TAXONOMIES.map(({ id }) => id).join(", ")}`;
  }
  const wrong = labels.find((label) => !taxonomy.labels.some(({ id }) => id === label));
  if (wrong === undefined) return undefined;
  const there = taxonomy.labels.map(({ id }) => id).join(", ");
  return `"${wrong}" is no label of ${id}. Its labels are ${there}`;
}

/** What a data set on disk looks like. */
export type Layout = z.infer<typeof layoutSchema>;
/** A layout as a person writes it: what has a default may be left out. */
export type LayoutInput = z.input<typeof layoutSchema>;
/** Labels in tables. */
export type TableLabels = z.infer<typeof tables>;
/** A table of a layout. */
export type LayoutTable = z.infer<typeof table>;
