/**
 * CLIP models as model hubs lay them out: which files are needed, where they are, and what is known of each model that its
 * files do not say.
 */

import { TrainerError } from "./errors.ts";
import { fetchHubFiles, type HubProgress } from "./hub.ts";
import { userPath } from "./user_path.ts";

/** What is known of a model beside its files. */
export interface KnownModel {
  /** The repository that has its ONNX files. */
  readonly repository: string;
  /** The trained logit scale: exports leave it out. */
  readonly logitScale: number;
}

/**
 * Models by the name that their authors gave them. The repositories could not be reached from where this was written; the
 * logit scales are those of the published weights, which stand at CLIP's own ceiling of 100.
 */
export const KNOWN_MODELS: Readonly<Record<string, KnownModel>> = {
  "openai/clip-vit-base-patch32": { repository: "Xenova/clip-vit-base-patch32", logitScale: 100 },
  "openai/clip-vit-base-patch16": { repository: "Xenova/clip-vit-base-patch16", logitScale: 100 },
};

/** CLIP's own, for models of which nothing is known. */
export const DEFAULT_LOGIT_SCALE = 100;

/** The files that a bundle is built from. */
const REQUIRED = [
  "config.json",
  "preprocessor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "onnx/vision_model.onnx",
  "onnx/text_model.onnx",
] as const;

/** A name of one of the files. */
export type ClipFile = (typeof REQUIRED)[number];

/** A model's files on disk. */
export interface ClipModelFiles {
  /** The id of its embedding space: model and revision. */
  readonly space: string;
  /** As the hub states it. */
  readonly license: string | undefined;
  /** Where each file lies. */
  readonly paths: Readonly<Record<ClipFile, string>>;
}

/** Options of {@link findClipModel}. */
export interface FindClipModelOptions {
  /** A branch, tag or commit of the hub; by default `main`. */
  readonly revision?: string;
  /** Told how far each file is. */
  readonly onProgress?: (progress: HubProgress) => void;
  /** Ends the work; what is there stays in the hub's cache. */
  readonly signal?: AbortSignal;
}

/**
 * Finds a model's files: in a folder, or on the hub.
 *
 * @param model a folder in the hub's layout, from where the user stands, or `organisation/name`
 * @param options where on the hub
 * @throws {TrainerError} naming what is missing
 */
export async function findClipModel(
  model: string,
  options: FindClipModelOptions = {},
): Promise<ClipModelFiles> {
  const folder = userPath(model);
  if (await isFolder(folder)) return await findInFolder(folder);
  if (!/^[\w.-]+\/[\w.-]+$/.test(model)) {
    throw new TrainerError(
      `There is no folder ${model}, and it is not a model's name either: those are organisation/name`,
    );
  }
  const repository = KNOWN_MODELS[model]?.repository ?? model;
  const { commit, license, files } = await fetchHubFiles({
    ...options,
    model: repository,
    files: (listing) => {
      const missing = REQUIRED.filter((path) => !listing.some((entry) => entry.path === path));
      if (missing.length === 0) return REQUIRED;
      throw new TrainerError(
        `${repository} has no ${missing.join(", ")}: a CLIP model with ONNX files is needed`,
      );
    },
  });
  const paths = REQUIRED.map((path) => [path, files.get(path)?.localPath ?? ""]);
  return {
    space: `${model}@${commit}`,
    license,
    paths: Object.fromEntries(paths) as ClipModelFiles["paths"],
  };
}

async function findInFolder(folder: string): Promise<ClipModelFiles> {
  const root = folder.replace(/\/+$/, "");
  for (const path of REQUIRED) {
    if (!await Deno.stat(`${root}/${path}`).then(({ isFile }) => isFile, () => false)) {
      throw new TrainerError(`The model in ${folder} has no ${path}`);
    }
  }
  const paths = REQUIRED.map((path) => [path, `${root}/${path}`]);
  return {
    space: root.replace(/^.*\//, ""),
    license: undefined,
    paths: Object.fromEntries(paths) as ClipModelFiles["paths"],
  };
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

/** What a bundle needs of `config.json`. */
export interface ClipConfig {
  /** How many tokens the text encoder takes. */
  readonly contextLength: number;
}

/**
 * Reads a CLIP model's `config.json`.
 *
 * @param path of the file
 * @throws {TrainerError} when it is of another kind of model
 */
export async function readClipConfig(path: string): Promise<ClipConfig> {
  let config: Record<string, unknown>;
  try {
    config = { ...JSON.parse(await Deno.readTextFile(path)) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot read ${path}: ${why}`, { cause });
  }
  const { model_type: type, text_config: text } = config;
  if (type !== "clip") {
    throw new TrainerError(`Cannot build from ${path}: its model_type is ${type}, not clip`);
  }
  const length = typeof text === "object" && text !== null && "max_position_embeddings" in text
    ? text.max_position_embeddings
    : 77;
  if (typeof length !== "number" || !Number.isInteger(length) || length < 2) {
    throw new TrainerError(`Cannot build from ${path}: its max_position_embeddings is ${length}`);
  }
  return { contextLength: length };
}
