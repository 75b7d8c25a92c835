/**
 * A layout of the user's own, as a JSON file: complete, or only what differs from a known one.
 */

import { basename, extname } from "node:path";
import { TrainerError } from "../errors.ts";
import { messageOf } from "./data_failure.ts";
import { KNOWN_LAYOUTS } from "./known_layouts.ts";
import { type Layout, layoutSchema } from "./layout.ts";

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One layout's fields over another's; fields of `labels`, `columns` and `maps` one by one, lists as a whole. */
function mergeFields(base: Fields, over: Fields): Fields {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const before = base[name];
    // Labels of another kind share nothing with those before.
    const isSameKind = !isFields(value) || !isFields(before) || value.kind === undefined ||
      value.kind === before.kind;
    merged[name] = isFields(value) && isFields(before) && isSameKind
      ? mergeFields(before, value)
      : value;
  }
  return merged;
}

/** A known layout, checked and with its defaults. */
export function knownLayout(id: string): Layout | undefined {
  const layout = KNOWN_LAYOUTS.get(id);
  return layout && layoutSchema.parse(layout);
}

/**
 * Reads a layout file. Its fields are those of {@linkcode Layout}, and `extends`, the id of a known layout whose fields
 * stand where it says nothing. Then `source` and `title` may be left out, too.
 *
 * - `{"extends": "fi", "labels": {"kind": "folders", "under": "FI/pictures"}}`
 * - `{"labels": {"kind": "tables", "tables": [{"file": "all.csv"}], "hasHeader": true,
 *   "columns": {"picture": "name", "label": "emotion"}}}`
 *
 * @param path of the file
 * @param base the id of the known layout that it extends where it names none
 * @throws {TrainerError} saying which field is wrong and why
 */
export async function readLayoutFile(path: string, base?: string): Promise<Layout> {
  let json: unknown;
  try {
    json = JSON.parse(await Deno.readTextFile(path));
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file. Check the path after --layout"
      : messageOf(cause);
    throw new TrainerError(`Cannot read the layout ${path}: ${why}`, { cause });
  }
  const refuse = (why: string) => new TrainerError(`Cannot use the layout ${path}: ${why}`);
  if (!isFields(json)) throw refuse("it is no JSON object. Write { fields }");
  const { extends: extended = base, ...fields } = json;
  const known = extended === undefined ? undefined : KNOWN_LAYOUTS.get(String(extended));
  if (extended !== undefined && known === undefined) {
    const there = [...KNOWN_LAYOUTS.keys()].join(", ");
    throw refuse(`extends: there is no layout "${extended}". There are ${there}`);
  }
  const id = basename(path, extname(path));
  const defaults = { id, title: id, source: path };
  // Whoever writes a layout has seen the data set.
  const merged = mergeFields({ ...defaults, ...known, isVerified: true }, fields);
  const result = layoutSchema.safeParse(merged);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw refuse(where + issue.message);
}
