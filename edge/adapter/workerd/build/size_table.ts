/**
 * What a Worker weighs, part by part: as it is uploaded, and its static assets.
 */

import { listFiles } from "./list_files.ts";

/** Which of a platform's two shares a part belongs to. */
export type SizeGroup = "upload" | "assets";

/** One part. */
export interface PartSize {
  /** The upload counts against the platform's limit on scripts, assets each against that on files. */
  readonly group: SizeGroup;
  /** What it is. */
  readonly name: string;
  /** Bytes. */
  readonly raw: number;
  /** Bytes, compressed as by `gzip`. */
  readonly gzip: number;
}

/** Names of an upload's modules, by what they hold. */
const MODULES: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/ort-wasm.*\.wasm$/, "ONNX Runtime (WebAssembly)"],
  [/mozjpeg.*\.wasm$/, "JPEG decoder (WebAssembly)"],
  [/squoosh_png.*\.wasm$/, "PNG decoder (WebAssembly)"],
  [/webp_dec.*\.wasm$/, "WebP decoder (WebAssembly)"],
  [/\.wasm$/, "other WebAssembly"],
  [/\.js$/, "script"],
];

/** Folders of assets whose files are not worth a line each. */
const FOLDERS: readonly (readonly [folder: string, name: string])[] = [
  ["page/", "page"],
  ["browser/", "what pages compute with, packed"],
];

/**
 * Measures a Worker.
 *
 * @param upload the folder that wrangler wrote the upload to
 * @param assets the folder of static assets
 */
export async function measureSizes(upload: string, assets: string): Promise<PartSize[]> {
  const sizes: PartSize[] = [];
  for (const path of await listFiles(upload)) {
    const name = MODULES.find(([pattern]) => pattern.test(path))?.[1];
    // Beside the modules lie a source map and a note.
    if (name !== undefined) sizes.push(await measure(`${upload}/${path}`, "upload", name));
  }
  const folders = FOLDERS.map(([folder, name]) => ({ folder, name, files: [] as PartSize[] }));
  for (const path of await listFiles(assets)) {
    const size = await measure(`${assets}/${path}`, "assets", path);
    const folder = folders.find(({ folder }) => path.startsWith(folder));
    (folder?.files ?? sizes).push(size);
  }
  for (const { name, files } of folders) {
    if (files.length > 0) sizes.push({ ...addUp(files), group: "assets", name });
  }
  return sizes;
}

/** Adds up parts. */
export function addUp(parts: readonly PartSize[]): Pick<PartSize, "raw" | "gzip"> {
  return parts.reduce(
    (sum, { raw, gzip }) => ({ raw: sum.raw + raw, gzip: sum.gzip + gzip }),
    { raw: 0, gzip: 0 },
  );
}

/**
 * Sizes for people.
 *
 * @param sizes of all parts
 */
export function formatSizes(sizes: readonly PartSize[]): string {
  const rows = (["upload", "assets"] as const).flatMap((group) => {
    const parts = sizes.filter((part) => part.group === group);
    return [...parts, { name: `${group}, together`, ...addUp(parts) }];
  });
  const width = Math.max(...rows.map(({ name }) => name.length));
  const line = (name: string, raw: string, gzip: string) =>
    `${name.padEnd(width)}  ${raw.padStart(10)}  ${gzip.padStart(10)}`;
  return [
    line("", "KiB", "KiB gzip"),
    ...rows.map(({ name, raw, gzip }) => line(name, kib(raw), kib(gzip))),
  ].join("\n");
}

const kib = (bytes: number): string => (bytes / 1024).toFixed(1);

async function measure(path: string, group: SizeGroup, name: string): Promise<PartSize> {
  const bytes = await Deno.readFile(path);
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  let gzip = 0;
  for await (const chunk of packed) gzip += chunk.length;
  return { group, name, raw: bytes.length, gzip };
}
