/**
 * `deno task build`: a CLIP model in, a bundle out that answers zero-shot, without any training. The straight line:
 * model files -> encoder -> text encoder -> prompt embeddings -> variants of the encoder -> bundle.
 */

import { type Label, type Scoring, sha256, TAXONOMIES, type Taxonomy } from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { basename, dirname } from "node:path";
import { breather } from "./breather.ts";
import {
  beginBundle,
  type BundleDraft,
  finishBundle,
  type TextEncoderFiles,
  withMethod,
  withPrompts,
  withTextEncoder,
} from "./bundle/bundle_draft.ts";
import { type BuildReport, formatBuild } from "./build_summary.ts";
import { buildVariants, readVariantPictures } from "./encoder/build_variants.ts";
import { readBundleFolder, writeBundleFolder } from "./bundle/bundle_folder.ts";
import { type ClipModelFiles, findClipModel, readClipConfig } from "./clip/clip_model.ts";
import { DEFAULT_LOGIT_SCALE, findClipScoring } from "./clip/clip_scoring.ts";
import { readTextEncoderFiles } from "./clip/clip_text.ts";
import { type CompiledTaxonomy, compileTaxonomies } from "./clip/compile_taxonomies.ts";
import { openEncoderFile } from "./encoder/encoder_file.ts";
import { TrainerError } from "./errors.ts";
import { type Precision, PRECISIONS } from "./encoder/encoder_variants.ts";
import { fail } from "./fail.ts";
import { onnxPrecision } from "./encoder/onnx_precision.ts";
import { spread } from "./spread.ts";
import { findKnownModel, KNOWN_MODELS } from "./clip/known_models.ts";
import { type PromptedLabel, readLabelFile } from "./clip/label_file.ts";
import { type Progress, startProgress } from "./progress.ts";
import { fillTemplates, templateFault } from "./clip/templates.ts";
import { quantizeTextEncoder } from "./clip/text_variant.ts";
import { userPath } from "./user_path.ts";

/** A line for each: its name, the side of its pictures, and the licence of its weights. */
function listKnownModels(): string {
  const models = Object.entries(KNOWN_MODELS);
  const width = Math.max(...models.map(([name]) => name.length));
  const lines = models.map(([name, { size, license }]) =>
    `  ${name.padEnd(width)}  ${size} px  ${license}`
  );
  return lines.join("\n");
}

/** WebAssembly and native take the first, WebGPU the other. */
const DEFAULT_PRECISIONS = ["int8", "float16"] as const;

const COMMAND = {
  name: "deno task build",
  description:
    "Makes a bundle of a CLIP or SigLIP model: its image encoder, and prompt embeddings for every taxonomy. Files come\n" +
    "from the hub and stay in its standard cache (HF_ENDPOINT, HF_HOME, HF_TOKEN), or from a folder in the hub's layout.\n" +
    `Models that are known by name, with what their ONNX files do not say:\n${listKnownModels()}`,
  flags: {
    model: {
      kind: "string",
      value: "NAME",
      help: "organisation/name on the hub, or a folder with onnx/vision_model.onnx and the rest",
    },
    out: { kind: "string", value: "DIR", help: "The bundle" },
    revision: { kind: "string", value: "REV", default: "main", help: "On the hub" },
    labels: {
      kind: "string",
      value: "FILE",
      help:
        "One more taxonomy, of your own: JSON with id and labels, each with prompts, or with names for its templates",
    },
    template: {
      kind: "strings",
      value: "TEXT",
      help:
        'Prompts of the project\'s taxonomies, in place of its own, such as "a photo of {label}"; several are averaged',
    },
    withText: {
      kind: "boolean",
      help: "Put the text encoder in too, so that callers may ask for labels of their own",
    },
    logitScale: {
      kind: "number",
      min: 0,
      help: `The trained logit scale (default: the model's, or CLIP's ${DEFAULT_LOGIT_SCALE})`,
    },
    logitBias: {
      kind: "number",
      help:
        "The trained logit bias of a SigLIP model, as in --logit-bias=-12.9 (default: the model's)",
    },
    precision: {
      kind: "strings",
      value: "NAME",
      help: `Of the encoder: ${PRECISIONS.join(", ")}; several make several variants (default: ${
        DEFAULT_PRECISIONS.join(" and ")
      })`,
    },
    targetCosine: {
      kind: "number",
      min: 0,
      max: 0.9999,
      default: 0.99,
      help: "How near int8 embeddings stay to the float ones: layers that hurt more stay in floats",
    },
    pictures: {
      kind: "string",
      value: "DIR",
      help:
        "To measure that by, up to 64, such as will be asked about (default: the project's own)",
    },
    name: { kind: "string", value: "NAME", help: "Of the bundle (default: its folder's)" },
    license: { kind: "string", value: "TEXT", help: "Of the weights (default: as the hub says)" },
    json: { kind: "boolean", help: "Print the summary as JSON" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** Finds the model's files, with a bar for each that has to be fetched. */
async function find(
  model: string,
  revision: string,
  signal: AbortSignal,
): Promise<ClipModelFiles> {
  let bar: { path: string; progress: Progress } | undefined;
  try {
    return await findClipModel(model, {
      revision,
      signal,
      onProgress: ({ path, done, total }) => {
        if (bar?.path !== path) {
          void bar?.progress.stop();
          bar = { path, progress: startProgress(`Fetching ${path}`, total) };
        }
        bar.progress.set(done);
      },
    });
  } finally {
    await bar?.progress.stop();
  }
}

/** A taxonomy of the project's with its own prompts, or with those that templates make of its words. */
function withPromptsOf(
  templates: readonly string[],
  { id, title, labels }: Taxonomy,
): Taxonomy<PromptedLabel> {
  const prompts = ({ word, prompt }: Label) =>
    templates.length > 0 ? fillTemplates(templates, [word]) : [prompt];
  return { id, title, labels: labels.map((label) => ({ ...label, prompts: prompts(label) })) };
}

/** Puts taxonomies in, each answered by its prompts. */
async function withZeroShot(
  draft: BundleDraft,
  compiled: readonly CompiledTaxonomy[],
  scoring: Scoring,
): Promise<BundleDraft> {
  let next = draft;
  for (const { taxonomy, texts, prompts } of compiled) {
    next = await withPrompts(next, taxonomy.id, texts, prompts);
    next = withMethod(next, taxonomy, { method: "zero-shot", ...scoring });
  }
  return next;
}

/** More say little more. */
const MAX_TEXTS = 24;

/** In 8-bit integers, unless floats were asked for or those are too far from them. */
async function addTextEncoder(
  draft: BundleDraft,
  float: TextEncoderFiles,
  precisions: readonly Precision[],
  { targetCosine }: Options,
  signal: AbortSignal,
): Promise<BundleDraft> {
  const isFloat = onnxPrecision(float.model) === "float32";
  if (!precisions.includes("int8") || !isFloat) return await withTextEncoder(draft, float);
  console.error("Making the int8 text encoder");
  const texts = draft.manifest.prompts.flatMap(({ texts }) => texts.flat());
  const { text, parity } = await quantizeTextEncoder(
    float,
    spread(texts, MAX_TEXTS),
    breather(signal),
  );
  if (parity.cosineMin >= targetCosine) return await withTextEncoder(draft, text, parity);
  console.error(
    `Its cosine to the float one is ${
      parity.cosineMin.toFixed(4)
    }, below ${targetCosine}: the float one is taken`,
  );
  return await withTextEncoder(draft, float);
}

function readPrecisions(names: readonly string[]): readonly Precision[] {
  const precisions = names.map((name) => {
    const known = PRECISIONS.find((known) => known === name);
    if (known) return known;
    throw new UsageError(`--precision must be ${PRECISIONS.join(", ")}, got ${name}`);
  });
  return precisions.length > 0 ? [...new Set(precisions)] : DEFAULT_PRECISIONS;
}

/** The hub's word on the repository, unless that is but `other`; then what is known of the weights. */
function chooseLicense(stated: string | undefined, known: string | undefined): string {
  return (stated === "other" ? undefined : stated) ?? known ?? stated ?? "Not stated.";
}

async function run(options: Options, signal: AbortSignal): Promise<BuildReport> {
  const { model, out, revision, logitScale, logitBias, template } = options;
  if (model === undefined) throw new UsageError("--model is needed");
  if (out === undefined) throw new UsageError("--out is needed");
  if (logitScale === 0) throw new UsageError("--logit-scale must be above 0");
  const precisions = readPrecisions(options.precision);
  const faulty = template.map(templateFault).find((fault) => fault !== undefined);
  if (faulty !== undefined) throw new UsageError(`--template ${faulty}`);
  const folder = userPath(out);
  const name = options.name ?? basename(folder).toLowerCase();
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) {
    throw new UsageError(`${JSON.stringify(name)} cannot name a bundle: give another with --name`);
  }
  const own = options.labels === undefined ? [] : [await readLabelFile(userPath(options.labels))];
  const taken = own.find(({ id }) => TAXONOMIES.some((taxonomy) => taxonomy.id === id));
  if (taken) {
    throw new TrainerError(`The taxonomy ${taken.id} is the project's: name yours otherwise`);
  }
  if (await readBundleFolder(folder)) {
    throw new TrainerError(`There is a bundle in ${out} already: name a new folder`);
  }

  const known = findKnownModel(model);
  const files = await find(model, revision, signal);
  const { normalization } = await readClipConfig(files.paths["config.json"]);
  const { scoring, isAssumed } = findClipScoring(model, normalization, { logitScale, logitBias });
  if (isAssumed) {
    console.error(
      `Logit scale: CLIP's own ${DEFAULT_LOGIT_SCALE}, as nothing is known of this model's`,
    );
  }
  if (known?.note !== undefined) console.error(`Note on ${model}: ${known.note}`);
  const vision = await openEncoderFile(files.paths["onnx/vision_model.onnx"], {
    configFolder: dirname(files.paths["preprocessor_config.json"]),
  });
  const identity = {
    name,
    embeddingSpace: `${files.space}/projection`,
    license: options.license ?? chooseLicense(files.license, known?.license),
    encoderOrigin: `the image encoder of ${files.space}, SHA-256 ${vision.sha256}`,
    about:
      `Zero-shot by prompts (${files.space}); nothing was trained, and how well it does was not measured.` +
      (normalization === "sigmoid"
        ? " Each label is scored on its own: scores do not sum to 1."
        : ""),
  };
  // The encoder has run; its memory is wanted for what is made of it.
  await vision.encoder.close();
  const given = onnxPrecision(vision.bytes);
  const wanted = given === "float32" ? precisions : [];
  if (wanted.length === 0) {
    console.error(`The model's encoder is ${given} already, and is taken as it is`);
  }
  const pictures = await readVariantPictures(vision, wanted, options.pictures);
  const taxonomies = [...TAXONOMIES.map((taxonomy) => withPromptsOf(template, taxonomy)), ...own];
  const readText = () => readTextEncoderFiles(files, scoring);
  const { length: size } = vision.goldenEmbedding;
  const compiled = await compileTaxonomies(taxonomies, await readText(), size, signal);
  const variants = await buildVariants(vision, wanted, pictures, {
    targetCosine: options.targetCosine,
    prompts: new Map(compiled.map(({ taxonomy, prompts }) => [taxonomy.id, prompts])),
    signal,
  });
  const begun = await beginBundle(vision, identity, wanted.length > 0 ? variants : undefined);
  const prompted = await withZeroShot(begun, compiled, scoring);
  const draft = options.withText
    ? await addTextEncoder(prompted, await readText(), precisions, options, signal)
    : prompted;
  const written = await finishBundle(draft);
  signal.throwIfAborted();
  await writeBundleFolder(folder, written);
  const manifest = written.get("manifest.json") ?? new Uint8Array();
  const { encoders, textEncoder, embeddingSpace } = draft.manifest;
  return {
    bundle: { folder: out, digest: `sha256:${await sha256(manifest)}` },
    space: embeddingSpace.id,
    taxonomies: taxonomies.map(({ id }) => id),
    encoders: encoders.map((encoder, i) => {
      const { fidelity, search } = variants[i] ?? {};
      return { ...encoder, ...(fidelity && { fidelity }), ...(search && { search }) };
    }),
    textEncoder,
  };
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    stop.abort(new TrainerError("Stopped. What was fetched is kept: run it again to go on"));
  });
  const report = await run(line.values, stop.signal);
  console.log(line.values.json ? JSON.stringify(report) : formatBuild(report));
}

if (import.meta.main) {
  await main().catch(fail);
  // The signal listener would keep the program alive.
  Deno.exit(0);
}
