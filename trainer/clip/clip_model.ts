/**
 * CLIP and SigLIP models as model hubs lay them out: which files are needed, where they are, and what `config.json` says.
 */

import type { Normalization } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import { fetchHubFiles, type HubProgress } from "../hub/hub.ts";
import { findKnownModel } from "./known_models.ts";
import { userPath } from "../user_path.ts";

/** The files that a bundle is built from. */
const REQUIRED = [
  "config.json",
  "preprocessor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "onnx/vision_model.onnx",
  "onnx/text_model.onnx",
] as const;

/** Whether a file holds weights of one of the two models, which name it themselves. */
function isExternalData(path: string): boolean {
  return /^onnx\/(vision|text)_model\.onnx[._]data(_\d+)?$/.test(path);
}

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
  const repository = findKnownModel(model)?.repository ?? model;
  const { commit, license, files } = await fetchHubFiles({
    ...options,
    model: repository,
    files: (listing) => {
      const missing = REQUIRED.filter((path) => !listing.some((entry) => entry.path === path));
      if (missing.length === 0) {
        return [...REQUIRED, ...listing.map(({ path }) => path).filter(isExternalData)];
      }
      throw new TrainerError(
        `${repository} has no ${missing.join(", ")}: a CLIP model with ONNX files is needed`,
      );
    },
  }).catch((error) => {
    if (repository === model || !(error instanceof TrainerError) || options.signal?.aborted) {
      throw error;
    }
    throw new TrainerError(
      `${error.message}. The ONNX files of ${model} were looked for in ${repository}: ` +
        "if they are elsewhere, name that repository, or a folder, with --model",
      { cause: error },
    );
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

/** What is particular to a kind of model, by its `model_type`. */
const KINDS: Readonly<Record<string, { normalization: Normalization; contextLength: number }>> = {
  clip: { normalization: "softmax", contextLength: 77 },
  siglip: { normalization: "sigmoid", contextLength: 64 },
};

/** What a bundle needs of `config.json`. */
export interface ClipConfig {
  /** How its logits become scores. */
  readonly normalization: Normalization;
  /** How many tokens the text encoder takes. */
  readonly contextLength: number;
}

/**
 * Reads the `config.json` of a CLIP or SigLIP model. What it leaves out is as the kind has it.
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
  if (typeof type !== "string" || !Object.hasOwn(KINDS, type)) {
    throw new TrainerError(
      `Cannot build from ${path}: its model_type is ${type}, not ${
        Object.keys(KINDS).join(" or ")
      }`,
    );
  }
  const kind = KINDS[type];
  const length = typeof text === "object" && text !== null && "max_position_embeddings" in text
    ? text.max_position_embeddings
    : kind.contextLength;
  if (typeof length !== "number" || !Number.isInteger(length) || length < 2) {
    throw new TrainerError(`Cannot build from ${path}: its max_position_embeddings is ${length}`);
  }
  return { normalization: kind.normalization, contextLength: length };
}
