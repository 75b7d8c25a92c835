/**
 * The golden numbers that `fixtures/golden/make_goldens.py` made with Pillow.
 */

import type { Interpolation, ResizeMode } from "@clip-e/shared";

const PICTURES = new URL("../fixtures/pictures/", import.meta.url);
const GOLDEN = new URL("../fixtures/golden/", import.meta.url);

/** What Pillow makes of one picture at one size, in one way. */
export interface PreprocessGolden {
  readonly picture: string;
  readonly size: number;
  readonly interpolation: Interpolation;
  readonly resizeMode: ResizeMode;
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Reads a drawn picture. */
export function readPicture(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return Deno.readFile(new URL(name, PICTURES));
}

/** Reads what Pillow's resize and crop give. */
export async function readPreprocessGoldens(): Promise<PreprocessGolden[]> {
  const { goldens } = JSON.parse(await Deno.readTextFile(new URL("preprocess.json", GOLDEN)));
  const file = await Deno.open(new URL("preprocess.rgb.gz", GOLDEN));
  const stream = file.readable.pipeThrough(new DecompressionStream("gzip"));
  const all = new Uint8Array(await new Response(stream).arrayBuffer());
  return goldens.map((
    { offset, length, ...golden }: PreprocessGolden & { offset: number; length: number },
  ) => ({ ...golden, rgb: all.subarray(offset, offset + length) }));
}

/** SHA-256 of each drawn picture's upright RGB bytes, as Pillow decodes it. */
export async function readDecodeGoldens(): Promise<ReadonlyMap<string, string>> {
  const { goldens } = JSON.parse(await Deno.readTextFile(new URL("decode.json", GOLDEN)));
  return new Map(
    goldens.map(({ picture, sha256 }: { picture: string; sha256: string }) => [picture, sha256]),
  );
}

/** Counts the places where two byte arrays differ; all of them when their lengths do. */
export function countDifferences(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Math.max(a.length, b.length);
  return a.reduce((count, value, i) => count + (value === b[i] ? 0 : 1), 0);
}
