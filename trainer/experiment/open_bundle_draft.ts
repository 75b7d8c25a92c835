/**
 * What heads are trained for: the bundle that they go into, and the encoder whose embeddings they take.
 */

import type { LabelName, Manifest, Taxonomy } from "@clip-e/shared";
import { openBundle, sha256 } from "@clip-e/shared";
import { basename } from "node:path";
import { beginBundle, type BundleDraft, type BundleIdentity } from "../bundle/bundle_draft.ts";
import { folderSource, readBundleFolder } from "../bundle/bundle_folder.ts";
import { checkAddition } from "../bundle/check_addition.ts";
import { type EncoderFile, openEncoderFile } from "../encoder/encoder_file.ts";
import { TrainerError } from "../errors.ts";
import type { TaskPrompts } from "./tasks.ts";
import {
  encoderOfFile,
  openTrainingBundle,
  type TrainingEncoder,
  zeroShotOf,
} from "./training_encoder.ts";

/** Where the encoder comes from, and where the bundle goes. */
export interface DraftSources {
  /** An ONNX file; or else */
  readonly encoder?: string | undefined;
  /** a bundle, whose encoder, prompts and heads are taken over. */
  readonly bundle?: string | undefined;
  /** The folder that the bundle is written to. */
  readonly out: string;
  /** What the user said of the new bundle. */
  readonly given: Partial<BundleIdentity>;
  /** The new bundle's name, unless the user gave one. */
  readonly name: string;
  /** Told where a file's preprocessing comes from. */
  readonly onPreprocessing: (from: string) => void;
}

/** A bundle to add heads to. */
export interface OpenDraft {
  /** What pictures are embedded with. */
  readonly encoder: TrainingEncoder;
  /** By taxonomy. */
  readonly zeroShot: ReadonlyMap<string, TaskPrompts>;
  /** The bundle so far. */
  readonly draft: BundleDraft;
  /**
   * Refuses a taxonomy whose labels are not those that the bundle has.
   *
   * @throws {TrainerError}
   */
  readonly checkTaxonomy: (taxonomy: Pick<Taxonomy<LabelName>, "id" | "labels">) => void;
}

/**
 * Opens what heads are trained for.
 *
 * @param sources as the user named them
 * @throws {TrainerError} when something is not there, or the folder holds something that does not go with it
 */
export async function openDraft(sources: DraftSources): Promise<OpenDraft> {
  const existing = await readBundleFolder(sources.out);
  return sources.bundle === undefined
    ? await openOnFile(sources, existing)
    : await openOnBundle(sources, sources.bundle, existing);
}

async function openOnFile(
  { encoder: path = "", out, given, name, onPreprocessing }: DraftSources,
  existing: BundleDraft | undefined,
): Promise<OpenDraft> {
  const file = await openEncoderFile(path, { onPreprocessing });
  await file.encoder.close();
  const identity: BundleIdentity = {
    name,
    embeddingSpace: await deriveSpace(file),
    license: "Not stated.",
    encoderOrigin: `${basename(path)}, SHA-256 ${file.sha256}`,
    about: "",
    ...given,
  };
  const { embeddingSpace } = identity;
  const check = checkFor(existing?.manifest, { given, embeddingSpace, encoder: file });
  check({ id: "", labels: [] });
  return {
    encoder: encoderOfFile(path, file),
    zeroShot: existing ? zeroShotOf(await openBundle(folderSource(out))) : new Map(),
    draft: existing ?? await beginBundle(file, identity),
    checkTaxonomy: check,
  };
}

async function openOnBundle(
  { given, name }: DraftSources,
  folder: string,
  existing: BundleDraft | undefined,
): Promise<OpenDraft> {
  const { encoder, draft, zeroShot } = await openTrainingBundle(folder);
  const { id } = draft.manifest.embeddingSpace;
  if (given.embeddingSpace !== undefined && given.embeddingSpace !== id) {
    throw new TrainerError(`--space is that of the bundle ${folder}, ${id}. Leave it out`);
  }
  const check = checkFor(existing?.manifest ?? draft.manifest, {
    given: existing ? given : {},
    embeddingSpace: id,
    encoder: { sha256: encoder.fileSha256, preprocessing: encoder.preprocessing },
  });
  check({ id: "", labels: [] });
  const renamed = withIdentity(draft, { name, ...given });
  return { encoder, zeroShot, draft: existing ?? renamed, checkTaxonomy: check };
}

/** A copy of a bundle is a bundle of its own. */
function withIdentity(
  { manifest, files }: BundleDraft,
  { name, license, encoderOrigin, about }: Partial<BundleIdentity>,
): BundleDraft {
  return {
    files,
    manifest: {
      ...manifest,
      ...(name !== undefined && { name }),
      ...(license !== undefined && { license }),
      ...(encoderOrigin !== undefined && {
        provenance: { ...manifest.provenance, encoder: encoderOrigin },
      }),
      ...(about !== undefined && { about: about.trim() }),
    },
  };
}

function checkFor(
  manifest: Manifest | undefined,
  addition: Omit<Parameters<typeof checkAddition>[1], "taxonomy">,
): OpenDraft["checkTaxonomy"] {
  return (taxonomy) => {
    if (manifest) checkAddition(manifest, { ...addition, taxonomy });
  };
}

/** The embedding space of an encoder: another preprocessing of the same encoder is another one. */
async function deriveSpace(file: EncoderFile): Promise<string> {
  const preprocessing = new TextEncoder().encode(JSON.stringify(file.preprocessing));
  return `onnx-${file.sha256.slice(0, 16)}-${(await sha256(preprocessing)).slice(0, 8)}`;
}
