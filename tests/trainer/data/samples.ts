/**
 * Small data sets that tests lay out themselves, and what goes wrong with them.
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { Dataset } from "../../../trainer/data/dataset.ts";
import { TrainerError } from "../../../trainer/errors.ts";

const PICTURES = new URL("../../../fixtures/pictures/", import.meta.url);

/** A real picture file's bytes. */
export const PICTURE: Uint8Array<ArrayBuffer> = await Deno.readFile(new URL("small.jpg", PICTURES));
/** The same, damaged in its middle and cut: it lists like any other, and only decoding it fails. */
export const CORRUPTED: Uint8Array<ArrayBuffer> = PICTURE.slice(0, PICTURE.length >> 1).fill(0, 40);

/** What a sample's files hold: text, or bytes. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Pictures of these names. */
export function pictures(names: readonly string[]): Files {
  return Object.fromEntries(names.map((name) => [name, PICTURE]));
}

/** Runs `body` in a folder with these files, and removes it. */
export async function withFiles(
  files: Files,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dataset-" });
  try {
    for (const [name, contents] of Object.entries(files)) {
      const path = join(folder, name);
      await Deno.mkdir(dirname(path), { recursive: true });
      const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
      await Deno.writeFile(path, bytes);
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What goes wrong with `work`: a TrainerError whose message this is, with temporary folders left out. */
export async function problem(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert(error instanceof TrainerError, `not a TrainerError: ${error}`);
    return error.message.replaceAll(/\S*\/dataset-[^/\s:]+\/?/g, (path) => {
      const [prefix] = /^([a-z0-9-]+:)?/.exec(path) ?? [""];
      return `${prefix}~/`;
    });
  }
  throw new assert.AssertionError({ message: "it went well" });
}

/** Names and labels, in order. */
export function pairs(dataset: Pick<Dataset, "examples">): string[][] {
  return dataset.examples.map(({ name, label }) => [name, label]);
}

/** Taxonomies as plain objects. */
export function plainTaxonomies(dataset: Dataset): Record<string, Record<string, string>> {
  return Object.fromEntries(
    [...dataset.taxonomies].map(([id, map]) => [id, Object.fromEntries(map)]),
  );
}

/** Fails unless every example's bytes are a real picture's, or the corrupted one's where its name says so. */
export async function assertReadable(dataset: Pick<Dataset, "examples">): Promise<void> {
  for (const { name, read } of dataset.examples) {
    assert.deepEqual(await read(), name.includes("corrupted") ? CORRUPTED : PICTURE, name);
  }
}
