/**
 * Bundles: the one place that reads and makes them. A bundle is a set of files with a manifest; where the files lie is the
 * business of a `BundleSource`.
 *
 * What is wrong with a head or with prompts costs only the methods that need it; what is wrong with the manifest or the
 * encoder refuses the whole bundle.
 */

import { ClipEError } from "./errors.ts";
import type { Head } from "./head.ts";
import { isHeadKind, readHead } from "./head_file.ts";
import {
  type BundleFile,
  type Manifest,
  MANIFEST_PATH,
  type ManifestEncoder,
  parseManifest,
} from "./manifest.ts";
import { requireTensor, unusable } from "./require_tensor.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import { sha256 } from "./sha256.ts";
import type { Prompts } from "./zero_shot.ts";

/** Where a bundle's files are: a folder, an assets binding, a bucket, a page's cache. */
export interface BundleSource {
  /** What errors call it, such as the folder's path. */
  readonly location?: string;
  /**
   * Whether the bytes were checked against the manifest when they were laid out, and cannot have changed since: lengths and
   * the manifest's pinned digest are then enough.
   */
  readonly isVerified?: boolean;
  /**
   * Reads one file.
   *
   * @param path relative to the bundle, with `/`
   * @returns its bytes, or `undefined` where there is no such file
   */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Streams one file, unchecked: for those who pass on what is too large to lie in memory once for each of them.
   *
   * @param path relative to the bundle, with `/`
   * @param start at which byte to begin
   * @returns `undefined` where there is no such file
   */
  stream?(
    path: string,
    start: number,
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
}

/** Why a part of the bundle is not in use. */
export interface PartFault {
  /** The part, such as `heads/polarity` or `prompts/polarity`. */
  readonly part: string;
  /** `missing` is a choice that the bundle's owner may have made; `invalid` is damage. */
  readonly fault: "missing" | "invalid";
  /** A sentence for people. */
  readonly detail: string;
}

/** A bundle that has been read and checked, but for the encoders, whose bytes are read on demand. */
export interface Bundle {
  /** What it says of itself. */
  readonly manifest: Manifest;
  /** `sha256:` and the digest of the manifest, which pins every file. */
  readonly digest: string;
  /** Usable heads, by id. */
  readonly heads: ReadonlyMap<string, Head>;
  /** Usable prompts, by taxonomy. */
  readonly prompts: ReadonlyMap<string, Prompts>;
  /** The golden input's embedding, `[D]`. */
  readonly goldenEmbedding: Float32Array;
  /** The model card's text. */
  readonly modelCard: string | undefined;
  /** Parts that are not in use. */
  readonly faults: readonly PartFault[];
  /**
   * Reads an encoder's bytes.
   *
   * @throws {ClipEError} `invalid-bundle`, when they are missing or not those that the manifest names
   */
  readEncoder(encoder: ManifestEncoder): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Reads a file that the manifest names.
   *
   * @throws {ClipEError} `invalid-bundle`, when it is missing or not the one that the manifest names
   */
  readFile(file: BundleFile): Promise<Uint8Array<ArrayBuffer>>;
}

/** Options of {@link openBundle}. */
export interface OpenBundleOptions {
  /** The expected digest of the manifest, `sha256:...`; another is refused. */
  readonly digest?: string;
}

/**
 * Reads a bundle and checks every file that it uses by length and, unless its source was verified, by SHA-256.
 *
 * @param source where its files are
 * @param options what to expect
 * @throws {ClipEError} `invalid-bundle`, when the manifest or the golden embedding cannot be used
 */
export async function openBundle(
  source: BundleSource,
  options: OpenBundleOptions = {},
): Promise<Bundle> {
  const { manifest, digest } = await readManifest(source, options);
  const size = manifest.embeddingSpace.size;
  const faults: PartFault[] = [];

  /** Runs `use` on a part, or notes why the part cannot be used. */
  const part = async <T>(name: string, file: BundleFile, use: (bytes: Uint8Array) => T) => {
    try {
      const bytes = await readFile(source, file);
      if (bytes) return use(bytes);
      faults.push({ part: name, fault: "missing", detail: `${file.path} is missing` });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      faults.push({ part: name, fault: "invalid", detail: `${file.path}: ${why}` });
    }
    return undefined;
  };

  const heads = new Map<string, Head>();
  for (const { id, kind, file } of manifest.heads) {
    // A newer writer's kinds are ignored, as its methods are.
    if (!isHeadKind(kind)) continue;
    const head = await part(`heads/${id}`, file, (bytes) => readHead(kind, bytes, size));
    if (head) heads.set(id, head);
  }
  const prompts = new Map<string, Prompts>();
  for (const { taxonomy, texts, file } of manifest.prompts) {
    const vectors = await part(
      `prompts/${taxonomy}`,
      file,
      (bytes) => readPrompts(bytes, texts.length),
    );
    if (vectors) prompts.set(taxonomy, vectors);
  }
  const modelCard = manifest.modelCard &&
    await part("model card", manifest.modelCard, (bytes) => new TextDecoder().decode(bytes));

  const golden = await requireFile(source, manifest.golden.file);
  const goldenEmbedding = requireTensor(readSafetensors(golden), "embedding", [size]);

  return {
    manifest,
    digest,
    heads,
    prompts,
    goldenEmbedding,
    modelCard,
    faults,
    readEncoder: (encoder) => requireFile(source, encoder.file),
    readFile: (file) => requireFile(source, file),
  };
}

/**
 * Reads a bundle's manifest alone.
 *
 * @param source where its files are
 * @param options what to expect
 * @returns the manifest and its digest, `sha256:...`
 * @throws {ClipEError} `invalid-bundle`, when it cannot be used
 */
export async function readManifest(
  source: BundleSource,
  { digest: expected }: OpenBundleOptions = {},
): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
  const bytes = await source.read(MANIFEST_PATH);
  if (!bytes) {
    throw unusable(
      `there is no ${MANIFEST_PATH}${source.location ? ` in ${source.location}` : ""}`,
    );
  }
  const digest = `sha256:${await sha256(bytes)}`;
  if (expected !== undefined && digest !== expected) {
    throw unusable(`its manifest's digest is ${digest}, expected ${expected}`);
  }
  try {
    return { manifest: parseManifest(JSON.parse(new TextDecoder().decode(bytes))), digest };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unusable(`its ${MANIFEST_PATH} is not valid: ${why}`, cause);
  }
}

/** The bytes of a file, checked; `undefined` when it is missing. */
async function readFile(
  source: BundleSource,
  file: BundleFile,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = await source.read(file.path);
  if (!bytes) return undefined;
  if (bytes.length !== file.bytes) {
    throw unusable(`${file.path} has ${bytes.length} bytes, its manifest says ${file.bytes}`);
  }
  if (source.isVerified) return bytes;
  const digest = await sha256(bytes);
  if (digest !== file.sha256) {
    throw unusable(`${file.path} has the SHA-256 ${digest}, its manifest says ${file.sha256}`);
  }
  return bytes;
}

async function requireFile(
  source: BundleSource,
  file: BundleFile,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(source, file);
  if (!bytes) throw unusable(`${file.path} is missing`);
  return bytes;
}

/** Reads prompt embeddings and makes them unit vectors, which 16-bit floats no longer quite are. */
function readPrompts(bytes: Uint8Array, count: number): Prompts {
  const tensors = readSafetensors(bytes);
  const size = tensors.get("prompts")?.shape[1] ?? 0;
  const vectors = requireTensor(tensors, "prompts", [count, size]);
  for (let k = 0; k < count; k++) {
    const vector = vectors.subarray(k * size, (k + 1) * size);
    const norm = Math.hypot(...vector);
    if (!(norm > 0)) throw unusable(`the prompt vector of label ${k} has no direction`);
    for (let i = 0; i < size; i++) vector[i] /= norm;
  }
  return { count, size, vectors };
}

/**
 * Prompt embeddings as a file of a bundle.
 *
 * @param prompts unit vectors
 * @returns safetensors
 */
export function writePrompts(prompts: Prompts): Uint8Array<ArrayBuffer> {
  const { count, size, vectors } = prompts;
  return writeSafetensors({ prompts: { shape: [count, size], data: vectors } });
}

/**
 * The golden input's embedding as a file of a bundle.
 *
 * @param embedding `[D]`
 * @returns safetensors
 */
export function writeGolden(embedding: Float32Array): Uint8Array<ArrayBuffer> {
  return writeSafetensors({ embedding: { shape: [embedding.length], data: embedding } });
}

/**
 * Describes a file for the manifest.
 *
 * @param path relative to the bundle, with `/`
 * @param bytes its content
 */
export async function describeFile(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<BundleFile> {
  return { path, bytes: bytes.length, sha256: await sha256(bytes) };
}

/**
 * A manifest as a file of a bundle, checked as a reader would.
 *
 * @param manifest what the bundle says of itself
 * @throws {ClipEError} `invalid-bundle`, when a reader would refuse it
 */
export function writeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  try {
    parseManifest(manifest);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ClipEError("invalid-bundle", `Cannot write the manifest: ${why}`, { cause });
  }
  return new TextEncoder().encode(JSON.stringify(manifest, null, 2) + "\n");
}
